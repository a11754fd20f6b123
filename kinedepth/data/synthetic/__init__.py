"""A small rendered street with true depth, poses, motion and instances, made from a seed."""

from kinedepth.data.synthetic.render import Frame, render
from kinedepth.data.synthetic.settings import CLASSES, DriveSettings
from kinedepth.data.synthetic.world import Drive

__all__ = ["CLASSES", "Drive", "DriveSettings", "Frame", "render"]
