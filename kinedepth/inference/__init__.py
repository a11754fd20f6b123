"""CHECKPOINT -> PREDICTOR -> FILES: from trained weights to depth, poses and video that say their unit.

`predictor` takes images in and gives depth at the input's size; `session` runs a whole source into a folder
of files; `files`, `poses`, `video`, `weights` know one kind of file each; `whole` makes every file whole or
absent.
"""
