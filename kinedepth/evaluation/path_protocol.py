"""What may change the numbers of a whole path, as data: it is chosen by name and printed with every table."""

from collections.abc import Mapping
from dataclasses import dataclass

from kinedepth.evaluation.drift import LENGTHS, STEP
from kinedepth.evaluation.trajectory import Angle


@dataclass(frozen=True)
class PathProtocol:
    """How a whole predicted path is compared with the true one."""

    name: str
    alignments: tuple[str, ...]
    """What is taken from the path before; a row of the table each."""
    anchored: bool
    """Whether both paths are first seen from the first predicted camera."""
    angle: Angle
    columns: Mapping[str, str]
    """Head of each printed column -> entry of a row."""
    step: int = STEP
    """Frames between the starts of segments."""
    lengths: tuple[float, ...] = LENGTHS
    """Of the segments, meters."""

    def __str__(self) -> str:
        """The one line that stands above a table."""
        start = "both from the first predicted camera" if self.anchored else "paths as they come"
        return (
            f"{self.name} · {start} · ATE: root mean square · RPE: neighboring frames, mean, angle by"
            f" {self.angle} · t_err, r_err: segments of {self.lengths[0]:g} to {self.lengths[-1]:g} m of true"
            f" path, every {self.step} frames, mean over all segments"
        )


KITTI_ODOMETRY = PathProtocol(
    "kitti-odometry",
    ("none", "scale", "scale_7dof", "6dof", "7dof"),
    anchored=True,
    angle="trace",
    columns={
        "ATE m": "ate_m",
        "RPE m": "rpe_m",
        "RPE deg": "rpe_deg",
        "t_err %": "t_err_percent",
        "r_err deg/100m": "r_err_deg_per_100m",
        "segments": "segments",
    },
)
"""The numbers of the KITTI odometry toolbox of Zhan."""

EVO = PathProtocol(
    "evo",
    ("none", "scale_7dof", "6dof", "7dof"),
    anchored=False,
    angle="logarithm",
    columns={
        "APE rmse": "ape_m.rmse",
        "mean": "ape_m.mean",
        "median": "ape_m.median",
        "std": "ape_m.std",
        "max": "ape_m.max",
        "RPE m rmse": "rpe_translation_m.rmse",
        "RPE deg rmse": "rpe_rotation_deg.rmse",
    },
)
"""The numbers of evo_ape and evo_rpe: no flag, -s, -a, -as."""

PATH_PROTOCOLS: dict[str, PathProtocol] = {each.name: each for each in (KITTI_ODOMETRY, EVO)}
