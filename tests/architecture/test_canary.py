"""A guard that is not itself tested is off: what runs happily without shape checks must raise with them."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from kinedepth.geometry.camera import Camera
from kinedepth.geometry.depth import inverse_depth_from_sigmoid
from kinedepth.geometry.pose import Pose
from kinedepth.losses.image import photometric_error
from kinedepth.scene import View

SCRIPT = """
import torch
from kinedepth.geometry.camera import Camera
print(Camera(torch.ones(7), torch.ones(2)).focal.shape[0])
"""


def test_the_canary_lives_without_the_hook() -> None:
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "7"


def test_a_record_of_the_wrong_shape_raises() -> None:
    with pytest.raises(TypeCheckError):
        Camera(torch.ones(7), torch.ones(2))


def test_fields_of_a_record_must_agree() -> None:
    with pytest.raises(TypeCheckError):
        Camera(torch.ones(3, 2), torch.ones(4, 2))


def test_the_wrong_type_raises() -> None:
    with pytest.raises(TypeCheckError):
        Camera(torch.ones(2, dtype=torch.int64), torch.ones(2))
    with pytest.raises(TypeCheckError):
        View(np.zeros((3, 4, 6), dtype=np.float32), Camera(torch.ones(2), torch.ones(2)))  # type: ignore[arg-type]


def test_methods_are_checked() -> None:
    with pytest.raises(TypeCheckError):
        Pose(torch.eye(3)[None], torch.zeros(1, 3)).apply(torch.ones(1, 4, 5))


def test_arguments_must_agree() -> None:
    with pytest.raises(TypeCheckError):
        photometric_error(torch.ones(2, 3, 8, 8), torch.ones(1, 3, 8, 8))


def test_plain_arguments_are_checked() -> None:
    with pytest.raises(TypeCheckError):
        inverse_depth_from_sigmoid(torch.ones(2), "near", 100.0)  # type: ignore[arg-type]
