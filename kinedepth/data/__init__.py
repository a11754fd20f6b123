"""From video to samples: where frames lie (moments), how they are read (samples) and varied (augment).

    source, folder, video, kitti  ->  Moment  ->  Samples  ->  batches  ->  Sample

Data sets are functions from a folder to a list of `Moment`; only `Samples` opens pictures.
"""
