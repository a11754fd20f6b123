"""Parts that networks share: an encoder a file, the layers of decoders, the range of inverse depth."""
