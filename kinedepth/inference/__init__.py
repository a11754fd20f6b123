"""CHECKPOINT -> PREDICTOR -> FILES: from trained weights to depth, poses and video that say their unit.

File by file, in the order of the data:

    weights         safetensors with what a checkpoint says of itself
    predictor       images in, depth at the input's size out; flip: the mirrored picture blended in
    odometer        the camera's path as frames come by

    clips           what a user gives to predict, frame by frame
    wanted          what a session is asked for, and what it wrote
    session         a whole source into a folder; stored: its memory between two passes
    notes           what a depth file says of itself: unit, scale, camera
    files           depth as npy, npz, PNG, EXR, PFM; floats: the coding of the last two
    poses           rotations, and trajectory files as TUM and KITTI have them
    painting, video depth in colors; H.264 with the input's times
    cloud           colored points as PLY
    whole           every file and folder whole or absent
"""
