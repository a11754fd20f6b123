"""PICTURES: arrays in, 8-bit RGB arrays out; or one HTML page.

File by file:

    colors          a map in colors
    panels          labelled strips, error maps, a trajectory from above
    along           errors along a path, as curves
    report/         records -> one self-contained HTML page
"""
