"""Depth, camera motion and object motion, learned from unlabelled video.

The package is its own map. Read downwards, this is how a video becomes a depth model:

    settings, recipe, catalog          a TOML file and flags -> the parts below
        |
    data         video, folder, KITTI, synthetic street -> Sample          scene: View, Sample, Estimate
        |
    networks     image -> inverse depth, two images -> Pose                geometry: Camera, Pose, warp
        |
    synthesis    the target rebuilt from every source, by depth and pose
        |
    losses       Sample + Estimate -> terms
        |
    method       networks + terms + phases; one file each in methods
        |
    training     phases -> epochs -> steps, by a loop that can be read     run: the run folder
        |
    checkpoint
        |
    inference    checkpoint -> Predictor -> depth, poses, video            visualize: colours, panels
        |
    evaluation   Predictor + truth -> table with its protocol

    cli          one short file for each verb of `kinedepth VERB`

From Python: `kinedepth.load("runs/first").infer("picture.jpg").depth`.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kinedepth.geometry.camera import Camera as Camera
    from kinedepth.geometry.pose import Pose as Pose
    from kinedepth.inference.predictor import Prediction as Prediction
    from kinedepth.inference.predictor import Predictor as Predictor
    from kinedepth.scene import View as View

__all__ = ["Camera", "Pose", "Prediction", "Predictor", "View", "load"]

_HOMES = {
    "Camera": "kinedepth.geometry.camera",
    "Pose": "kinedepth.geometry.pose",
    "Prediction": "kinedepth.inference.predictor",
    "Predictor": "kinedepth.inference.predictor",
    "View": "kinedepth.scene",
}


def load(path: Path | str, device: str = "auto", flip: bool = False) -> "Predictor":
    """A predictor from a run folder (its best checkpoint) or a checkpoint file.

    `device` is cpu, cuda, mps or auto; `flip` blends in the mirrored picture's prediction.

    Raises:
        KinedepthError: the file is missing, damaged or foreign, or the device is not there.
    """
    from kinedepth.recipe import load_predictor

    return load_predictor(Path(path), device, flip)


def __getattr__(name: str) -> Any:
    """Public names are fetched when they are first used: importing the package loads no torch."""
    if name == "__version__":
        from importlib.metadata import version

        return version("kinedepth")
    if name not in _HOMES:
        raise AttributeError(f"module 'kinedepth' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
