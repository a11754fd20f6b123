"""Make3D's 134 test images: the official files read in place, cut as Monodepth2's authors cut them.

    Test134/img-<scene>.jpg                        2272 x 1704 pixels (height x width)
    Gridlaserdata/depth_sph_corr-<scene>.mat       Position3DGrid, 55 x 305 x 4, depth last

Pictures keep their rows 710 to 1561 (the middle 852, so that they are twice as wide as high), the laser grid
its rows 17 to 37. Source: Saxena et al. 2009; nianticlabs/monodepth2, issue 89. Pictures of another size are
cut at the same fractions. Ours differs in that the published script leaves open how the cut picture is
resized to the network: Lanczos, as everywhere here.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from kinedepth.data.camera_files import guessed
from kinedepth.data.folder import entries
from kinedepth.data.frames import as_pixels, open_picture
from kinedepth.data.moments import Frame, Moment, Truth
from kinedepth.errors import KinedepthError
from kinedepth.inference.predictor import Predictor
from kinedepth.scene import Sample, View

PICTURES, GRIDS = ("Test134",), ("Gridlaserdata", "Test134Depth")
HEIGHT, TOP, BOTTOM = 2272, 710, 1562
"""Of a picture: its rows, the first that is kept, the one after the last."""
GRID_TOP, GRID_BOTTOM = 17, 38
GRID = (55, 305)
_START = {"picture": "img-", "grid": "depth_sph_corr-"}


def is_make3d(path: Path) -> bool:
    """Whether `path` holds the official folders."""
    return _below(path, PICTURES) is not None and _below(path, GRIDS) is not None


def _below(path: Path, names: Sequence[str]) -> Path | None:
    return next((path / name for name in names if (path / name).is_dir()), None)


def make3d_moments(path: Path) -> list[Moment]:
    """The test images with their laser grids, by the scene's name.

    Raises:
        KinedepthError: a picture has no grid, or there is no picture.
    """
    pictures, grids = _below(path, PICTURES), _below(path, GRIDS)
    if pictures is None or grids is None:
        raise KinedepthError(f"{path} lacks Make3D's folders: it needs Test134 and Gridlaserdata.")
    scenes = {
        picture.stem.removeprefix(_START["picture"]): picture
        for picture in entries(pictures)
        if picture.suffix.lower() in (".jpg", ".jpeg", ".png")
    }
    if not scenes:
        raise KinedepthError(f"{pictures} holds no picture img-*.jpg of Make3D.")
    return [_moment(scene, picture, grids) for scene, picture in scenes.items()]


def _moment(scene: str, picture: Path, grids: Path) -> Moment:
    grid = grids / f"{_START['grid']}{scene}.mat"
    if not grid.is_file():
        raise KinedepthError(f"The laser grid of {picture.name} is missing: there is no {grid}.")
    return Moment(scene, "", Frame(picture), guessed((1, 1)), truth=Truth(grid, "laser"))


def read_grid(path: Path) -> Float[np.ndarray, "_ _"]:
    """The laser's depth in meters, the rows that count.

    Raises:
        KinedepthError: the file is missing, damaged, or holds another grid.
    """
    try:
        grid = np.asarray(loadmat(str(path))["Position3DGrid"], dtype=np.float64)
    except (OSError, ValueError, KeyError, TypeError, NotImplementedError, MatReadError) as error:
        raise KinedepthError(f"{path} holds no readable Position3DGrid of Make3D.") from error
    if grid.ndim != 3 or grid.shape[:2] != GRID or grid.shape[2] < 4:
        raise KinedepthError(f"{path} holds a grid of shape {grid.shape}; Make3D's is 55 x 305 x 4.")
    return grid[GRID_TOP:GRID_BOTTOM, :, 3]


def cut(picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "_ w 3"]:
    """The rows of a picture that are judged."""
    height = picture.shape[0]
    return picture[TOP * height // HEIGHT : BOTTOM * height // HEIGHT]


def cut_picture(frame: Frame) -> UInt8[np.ndarray, "_ _ 3"]:
    """The rows of a picture that are judged, from its file."""
    return cut(np.asarray(open_picture(frame.path)))


def by_predictor(
    predictor: Predictor,
) -> Callable[[Sequence[Moment]], Iterator[Float[np.ndarray, "_ _"]]]:
    """What a predictor says of the cut pictures: inverse depth at the network's size.

    Raises:
        KinedepthError: the method looks at neighbouring frames, and these are single pictures.
    """
    if predictor.method.predicts_from.offsets:
        raise KinedepthError("Make3D has single pictures and this model looks at neighbouring frames too.")
    return partial(_guess, predictor)


def _guess(predictor: Predictor, moments: Sequence[Moment]) -> Iterator[Float[np.ndarray, "_ _"]]:
    for moment in moments:
        pixels = as_pixels(Image.fromarray(cut_picture(moment.target)), predictor.size)
        image = torch.from_numpy(pixels).float()[None] / 255
        camera = guessed(predictor.size).camera(predictor.size)
        # One picture is a batch of one.
        batch = camera.map(lambda value: value[None])
        sample = Sample(View(image, batch), ())
        inverse = predictor.inverse_depth(sample.to(predictor.device))
        yield (inverse[0, 0] / predictor.unit.factor).cpu().numpy()
