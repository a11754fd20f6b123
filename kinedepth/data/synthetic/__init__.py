"""A small rendered street with true depth, poses, motion and instances, made from a seed."""

from kinedepth.data.synthetic.frame import Frame, render
from kinedepth.data.synthetic.read import Truth, read_truth, truth_poses
from kinedepth.data.synthetic.settings import CLASSES, DriveSettings
from kinedepth.data.synthetic.statistics import measure, table
from kinedepth.data.synthetic.truth import moving_mask, objects, residual_motion, scene_flow
from kinedepth.data.synthetic.world import Drive
from kinedepth.data.synthetic.write import write_drive

__all__ = [
    "CLASSES",
    "Drive",
    "DriveSettings",
    "Frame",
    "Truth",
    "measure",
    "moving_mask",
    "objects",
    "read_truth",
    "render",
    "residual_motion",
    "scene_flow",
    "table",
    "truth_poses",
    "write_drive",
]
