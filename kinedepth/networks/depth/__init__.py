"""Depth networks: a file each, decoder and composition."""
