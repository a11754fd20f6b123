"""PICTURES: arrays in, 8-bit RGB arrays out. `colors` for a map, `panels` for what is composed."""
