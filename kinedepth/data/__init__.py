"""VIDEO -> SAMPLES: where frames lie (moments), how they are read (samples) and varied (augment).

    source, folder, video, kitti  ->  Moment  ->  Samples  ->  batches  ->  Sample

Data sets are functions from a folder to a list of `Moment`; only `Samples` opens pictures. File by file:

    moments         Frame, Moment, Sequence, Calibration: paths and numbers, no pixels
    source          what a user points at, opened and summed up
    finding         sequences found by walking a folder; sizes: those whose pictures change their size
    folder, video, kitti        one layout each
    camera_files    every form of intrinsics -> Calibration (cameras/: form by form)
    own_camera      whose camera it is: given, beside the pictures, in their EXIF, or guessed
    lens            lenses undone at reading

    measuring       motion of a sequence, measured once and kept; motion: its mathematics
    masking         the mask of a sequence; hood, stillness: what never moves in it
    choosing        which moments are learned from: gap, standstill, cuts
    understood      all of that as plain values, for source.json

    frames          a picture, mask or label from its file; store: small ones kept on disk
    lidar           scans as depth maps
    samples         the one Dataset; augment: jitter and flip; loading: batches
    synthetic/      a rendered street with true depth, motion and classes
"""
