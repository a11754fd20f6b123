"""A disk that is full: one sentence that names the file, and nothing is left; the system itself refuses."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from kinedepth.errors import KinedepthError
from kinedepth.inference.files import write_npy, write_npz, write_png16
from kinedepth.inference.notes import DepthNote
from kinedepth.inference.poses import write_kitti
from kinedepth.inference.predictor import Predictor
from kinedepth.inference.session import Wanted, predict_source
from kinedepth.inference.video import video_writer
from kinedepth.inference.weights import write_weights


@contextmanager
def _files_end_at(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


NOISE = np.random.default_rng(0).uniform(1, 50, (200, 300)).astype(np.float32)


def _video(path: Path) -> None:
    with video_writer(path, Fraction(10)) as video:
        for seed in range(40):
            video.write(np.random.default_rng(seed).integers(0, 255, (200, 300, 3)).astype(np.uint8))


def _weights(path: Path) -> None:
    write_weights(path, {"a": torch.zeros(200, 300)}, {})


def _poses(path: Path) -> None:
    write_kitti(path, np.tile(np.eye(4), (4000, 1, 1)))


def _npy(path: Path) -> None:
    write_npy(path, NOISE, DepthNote())


def _npz(path: Path) -> None:
    write_npz(path, NOISE, DepthNote())


def _png16(path: Path) -> None:
    write_png16(path, NOISE, DepthNote())


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (_npy, "a.npy"),
        (_npz, "a.npz"),
        (_png16, "a.png"),
        (_weights, "a.st"),
        (_poses, "a.txt"),
        (_video, "a.mp4"),
    ],
)
def test_file(tmp_path: Path, write: Callable[[Path], None], name: str) -> None:
    with _files_end_at(20_000), pytest.raises(KinedepthError, match=name):
        write(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [20_000, 1_500])
def test_session(tmp_path: Path, predictor: Predictor, picture: Callable[..., np.ndarray], size: int) -> None:
    """The first limit stops depth maps, the second the video's and the note's small files."""
    height = 90 if size > 10_000 else 12
    frames = [(str(index), index / 10, picture(index, height, 2 * height)) for index in range(12)]
    with _files_end_at(size), pytest.raises(KinedepthError, match="out"):
        predict_source(predictor, frames, tmp_path / "out", Wanted(fps=10, poses=("tum",)))
    assert not list(tmp_path.iterdir())
