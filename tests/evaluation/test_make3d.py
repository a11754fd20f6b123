"""Make3D in its official layout, made small in everything but the shapes that the protocol knows."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from torch import nn

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.depth import compared, counted, log10
from kinedepth.evaluation.judge import MODEL, by_constant, depth_tables
from kinedepth.evaluation.make3d import by_predictor, cut, make3d_moments, read_grid
from kinedepth.evaluation.protocol import MAKE3D, SEVEN
from kinedepth.evaluation.sources import find_truth
from kinedepth.inference.predictor import Predictor
from kinedepth.method import Method, Phase
from kinedepth.scene import Estimate, Inputs, Sample

SCENES = ("math7-p-282t0", "op1-p-015t000")
HEIGHT, WIDTH = 284, 213
"""An eighth of the official pictures."""


def grid(scene: int) -> np.ndarray:
    """Depth 1 + row / 2 + scene; beyond 70 m in the first column."""
    values = np.zeros((55, 305, 4))
    values[..., 3] = 1 + np.arange(55)[:, None] / 2 + scene
    values[:, 0, 3] = 81.0
    return values


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two scenes; the rows of a picture that are judged are bright, the others dark."""
    (tmp_path / "Test134").mkdir()
    (tmp_path / "Gridlaserdata").mkdir()
    for number, scene in enumerate(SCENES):
        pixels = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
        pixels[710 * HEIGHT // 2272 : 1562 * HEIGHT // 2272] = 200
        Image.fromarray(pixels).save(tmp_path / "Test134" / f"img-{scene}.jpg", quality=100)
        savemat(
            str(tmp_path / "Gridlaserdata" / f"depth_sph_corr-{scene}.mat"), {"Position3DGrid": grid(number)}
        )
    return tmp_path


class Brightness(Method):
    """Inverse depth is the picture's brightness."""

    def __init__(self, offsets: tuple[int, ...] = ()) -> None:
        phase = Phase("all", 1, frozenset({"depth"}), {})
        super().__init__(networks={"depth": nn.Linear(1, 1)}, terms={}, phases=(phase,))
        self.predicts_from = Inputs(offsets, frozenset())

    def predict(self, sample: Sample) -> Estimate:
        return Estimate((sample.target.seen.mean(1, keepdim=True),))

    def forward(self, sample: Sample) -> Estimate:
        return self.predict(sample)


def test_rows_that_count(root: Path) -> None:
    truth = read_grid(root / "Gridlaserdata" / f"depth_sph_corr-{SCENES[0]}.mat")
    assert truth.shape == (21, 305)
    np.testing.assert_allclose(truth[:, 1], 1 + np.arange(17, 38) / 2)
    assert not counted(truth, MAKE3D)[:, 0].any()


def test_the_official_picture_keeps_852_rows() -> None:
    rows = np.repeat(np.arange(2272, dtype=np.int64)[:, None], 3, axis=1)[:, None]
    kept = cut((rows % 251).astype(np.uint8))
    assert kept.shape == (852, 1, 3)
    np.testing.assert_array_equal(kept[:, 0, 0], np.arange(710, 1562) % 251)


def test_the_network_sees_the_cut_picture(root: Path) -> None:
    moments = make3d_moments(root)
    (first, _) = by_predictor(Predictor(Brightness(), (32, 64)))(moments)
    np.testing.assert_allclose(first, 200 / 255, atol=0.02)


def test_protocol(root: Path) -> None:
    found = find_truth(root)
    assert (found.protocols, found.camera_known) == (["make3d"], False)
    moments = found.images["make3d"]()
    assert [moment.name for moment in moments] == list(SCENES)
    table = depth_tables(moments, MAKE3D.aligned("none"), {MODEL: by_constant(10.0)}).tables[MODEL]
    truth = np.array([1 + np.arange(17, 38) / 2 + number for number in range(2)])
    expected = {
        "abs_rel": np.mean(np.abs(truth - 10) / truth, axis=1).mean(),
        "sq_rel": np.mean((truth - 10) ** 2 / truth, axis=1).mean(),
        "rmse": np.sqrt(np.mean((truth - 10) ** 2, axis=1)).mean(),
        "log10": np.sqrt(np.mean((np.log10(truth) - 1) ** 2, axis=1)).mean(),
    }
    assert table.mean() == pytest.approx(expected)
    assert table.caption().startswith("2 images of the 134 published")
    for words in ("make3d", "0 < depth < 70 m", "crop: none", "resized by nearest", "[0, 70] m"):
        assert words in str(table.protocol)


def test_prediction_is_resized_by_the_nearest() -> None:
    inverse = np.array([[0.1, 0.5], [0.2, 0.25]])
    found = compared("scene", inverse, np.full((21, 305), 5.0), {}, MAKE3D)
    assert set(np.unique(np.round(found.predicted, 6))) == {2.0, 4.0, 5.0, 10.0}


def test_log10() -> None:
    assert log10(np.array([10.0, 1.0]), np.array([1.0, 1.0])) == pytest.approx(np.sqrt(0.5))
    assert "log10" not in SEVEN


def test_a_method_that_looks_at_neighbours_is_refused() -> None:
    with pytest.raises(KinedepthError, match="single pictures"):
        by_predictor(Predictor(Brightness((-1,)), (32, 64)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "There is no|missing"),
        (b"no matlab", "no readable Position3DGrid"),
        ({"other": np.ones(3)}, "no readable Position3DGrid"),
        ({"Position3DGrid": np.ones((3, 4, 4))}, "shape"),
    ],
    ids=["absent", "damaged", "other array", "other grid"],
)
def test_bad_grids_are_named(root: Path, content: object, message: str) -> None:
    path = root / "Gridlaserdata" / f"depth_sph_corr-{SCENES[1]}.mat"
    if content is None:
        path.unlink()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        savemat(str(path), content)
    with pytest.raises(KinedepthError, match=message) as caught:
        depth_tables(make3d_moments(root), MAKE3D, {MODEL: by_constant()})
    assert SCENES[1] in str(caught.value)
