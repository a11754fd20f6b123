"""What files say about cameras, form by form; `camera_files.read_intrinsics` is the door to all of it.

    read_intrinsics  ->  written.py   a file or a text, opened        -> text, array or keys
                     ->  keyed.py     JSON, YAML, XML: named entries  -> Stated
                         colmap.py    cameras.txt, cameras.bin        -> Stated
                         kitti.py     calib*.txt                      -> Calibration
                         optics.py    angles, millimetres, EXIF       -> Calibration
                     ->  matrix.py    pixels or fractions?            -> Calibration

`bending.py` is the mathematics of a lens, which `lens.py` applies to pictures.
"""
