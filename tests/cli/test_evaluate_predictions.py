"""`kinedepth evaluate` on predictions made elsewhere: official numbers through the door that users take."""

import csv
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Command = Callable[..., Any]

METRICS = ("abs_rel", "sq_rel", "rmse", "rmse_log", "a1", "a2", "a3")
OFFICIAL = {
    "eigen_median": ("kitti-eigen", []),
    "eigen_benchmark_median": ("kitti-eigen-benchmark", []),
    "eigen_stereo": ("kitti-eigen", ["--align", "none", "--factor", "5.4"]),
}


def quick(output: Path) -> list[object]:
    """Write, but draw nothing."""
    return ["-o", output, "--error-maps", "0"]


def means(output: Path) -> dict[str, float]:
    return json.loads((output / "evaluation.json").read_text())["means"]["model"]["whole"]


# Official disparities of Monodepth2 (story 15)


@pytest.fixture(scope="module")
def official(parity_root: Path) -> dict[str, np.ndarray]:
    return dict(np.load(parity_root / "monodepth2" / "evaluation.npz"))


@pytest.fixture(scope="module")
def arrays(official: Mapping[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """disps.npy and gt_depths.npz as Monodepth2 writes them, truth as PNG too, and a list of names."""
    root = tmp_path_factory.mktemp("official")
    np.save(root / "disps.npy", official["pred_disp"])
    stored = [official[f"gt_u16_{place}"] for place in range(len(official["pred_disp"]))]
    depths = np.empty(len(stored), dtype=object)
    (root / "truth").mkdir()
    for place, steps in enumerate(stored):
        depths[place] = (steps / 256).astype(np.float32)
        Image.fromarray(steps).save(root / "truth" / f"{place:010d}.png")
    np.savez_compressed(root / "gt_depths.npz", data=depths)
    (root / "names.txt").write_text("".join(f"drive {place} l\n" for place in range(len(stored))))
    return root


@pytest.mark.parametrize("truth", ["gt_depths.npz", "truth"])
@pytest.mark.parametrize("case", list(OFFICIAL))
def test_official_arrays_give_the_official_line(
    arrays: Path,
    official: Mapping[str, np.ndarray],
    case: str,
    truth: str,
    tmp_path: Path,
    kinedepth: Command,
) -> None:
    protocol, more = OFFICIAL[case]
    names = ["--names", arrays / "names.txt", "--protocol", protocol]
    said = kinedepth("evaluate", arrays / "disps.npy", arrays / truth, *names, *more, *quick(tmp_path / "o"))
    assert (said.code, said.err) == (0, "")
    expected = official[f"{case}_mean"]
    np.testing.assert_allclose(list(means(tmp_path / "o").values()), expected, rtol=1e-6, atol=1e-6)
    row = next(line for line in said.out.splitlines() if line.strip().startswith("model "))
    assert row.replace("│", " ").split()[1:] == [f"{value:.3f}" for value in expected]
    with (tmp_path / "o" / "images.csv").open() as file:
        lines = [[float(line[metric]) for metric in METRICS] for line in csv.DictReader(file)]
    np.testing.assert_allclose(lines, official[f"{case}_errors"][:, :7], rtol=1e-6, atol=1e-6)


def test_the_order_of_an_array_must_be_known(arrays: Path, kinedepth: Command) -> None:
    said = kinedepth("evaluate", arrays / "disps.npy", arrays / "truth", "--protocol", "kitti-eigen")
    assert said.code == 1
    assert "order is unknown: give --names" in said.err


def test_a_list_of_another_length(arrays: Path, tmp_path: Path, kinedepth: Command) -> None:
    short = tmp_path / "names.txt"
    short.write_text("drive 0 l\ndrive 1 l\n")
    said = kinedepth("evaluate", arrays / "disps.npy", arrays / "truth", "--names", short)
    assert "maps and the list has 2 names" in said.err


# Depth files against real truth (story 14)


@pytest.fixture(scope="module")
def kitti(real_data_root: Path) -> Path:
    return real_data_root / "kitti_depth_0001"


def written(folder: Path, kitti: Path) -> Path:
    """The analytic prediction of expected_metrics.json, a file for each measured image."""
    camera = json.loads((kitti / "intrinsics.json").read_text())
    rows = np.arange(camera["height"], dtype=np.float64)
    below = rows > camera["cy"]
    depth = np.full(camera["height"], 80.0)
    depth[below] = np.clip(1.65 * camera["fy"] / (rows[below] - camera["cy"]), 1e-3, 80)
    folder.mkdir(exist_ok=True)
    for path in (kitti / "gt_depth").glob("*.png"):
        np.save(folder / f"{path.stem}.npy", np.repeat(depth[:, None], camera["width"], axis=1))
    return folder


@pytest.fixture(scope="module")
def predicted(kitti: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("predicted") / "ground", kitti)


@pytest.mark.parametrize("align", ["median", "none"])
@pytest.mark.parametrize("crop", ["eigen_crop", "no_crop"])
@pytest.mark.parametrize("truth", ["gt_depth", "lidar_depth"])
def test_expected_metrics_of_real_frames(
    kitti: Path, predicted: Path, truth: str, crop: str, align: str, tmp_path: Path, kinedepth: Command
) -> None:
    values = json.loads((kitti / "expected_metrics.json").read_text())["values"]
    expected = values[f"{truth}/{crop}/{align}"]
    protocol = {"gt_depth": "kitti-garg-improved", "lidar_depth": "kitti-garg-scan"}[truth]
    asked = ["--protocol", protocol, "--align", align, "--quantity", "depth"]
    more = ["--crop", "none"] if crop == "no_crop" else []
    said = kinedepth("evaluate", predicted, kitti, *asked, *more, *quick(tmp_path / "out"))
    assert said.code == 0
    ratio = expected.pop("median_ratio_mean", None)
    assert means(tmp_path / "out") == pytest.approx(expected, rel=1e-6)
    assert ("crop: none" in said.out) is (crop == "no_crop")
    if ratio is not None:
        with (tmp_path / "out" / "images.csv").open() as file:
            ratios = [float(line["ratio"]) for line in csv.DictReader(file)]
        assert np.mean(ratios) == pytest.approx(ratio, rel=1e-6)


def test_a_bare_folder_of_truth(kitti: Path, predicted: Path, tmp_path: Path, kinedepth: Command) -> None:
    pair = ["--pred", predicted, f"--gt={kitti / 'gt_depth'}", "--quantity", "depth"]
    said = kinedepth("evaluate", *pair, "--protocol", "kitti-eigen", "-o", tmp_path / "out", "--latex")
    assert said.code == 0
    values = json.loads((kitti / "expected_metrics.json").read_text())["values"]
    expected = {name: values["gt_depth/eigen_crop/median"][name] for name in METRICS}
    assert means(tmp_path / "out") == pytest.approx(expected, rel=1e-6)
    for words in (
        "kitti-eigen · truth",
        "crop: Garg",
        "12 images of the 697 published",
        "depth files without",
    ):
        assert words in said.out
    assert "model & 0.253 & 8.644 & 15.294 & 0.337 & 0.801 & 0.871 & 0.910" in said.out
    assert "flat ground" not in said.out
    assert [path.name for path in sorted((tmp_path / "out").glob("error_*"))] == [
        "error_median.png",
        "error_worst.png",
        *(f"error_worst_{rank}.png" for rank in range(2, 6)),
    ]


def test_predictions_without_truth_are_fatal_and_named_unless_partial(
    kitti: Path, tmp_path: Path, kinedepth: Command
) -> None:
    given = written(tmp_path / "more", kitti)
    for name in ("000099", "000098"):
        np.save(given / f"{name}.npy", np.full((4, 8), 5.0))
    said = kinedepth("evaluate", given, kitti / "gt_depth", "--quantity", "depth")
    assert said.code == 1
    assert "The truth of 000098, 000099 is missing" in said.err
    (given / "000007.npy").unlink()
    said = kinedepth("evaluate", given, kitti / "gt_depth", "--quantity", "depth", "--partial")
    assert said.code == 0
    assert "2 predictions have no truth and are left aside: 000098, 000099" in said.out
    assert "model: 11 images" in said.out


def test_a_missing_prediction_is_fatal_and_named(kitti: Path, tmp_path: Path, kinedepth: Command) -> None:
    given = written(tmp_path / "less", kitti)
    (given / "000007.npy").unlink()
    said = kinedepth("evaluate", given, kitti, "--quantity", "depth", *quick(tmp_path / "out"))
    assert said.code == 1
    assert "prediction of kitti_depth_0001/000007 is missing" in said.err
    assert not (tmp_path / "out").exists()


def test_a_missing_truth_that_a_list_demands_is_named(
    kitti: Path, predicted: Path, tmp_path: Path, kinedepth: Command
) -> None:
    truth, names = tmp_path / "gt", tmp_path / "names.txt"
    truth.mkdir()
    labels = sorted(path.stem for path in (kitti / "gt_depth").glob("*.png"))
    names.write_text("\n".join(labels))
    for label in labels[1:]:
        (truth / f"{label}.png").write_bytes((kitti / "gt_depth" / f"{label}.png").read_bytes())
    said = kinedepth("evaluate", predicted, truth, "--quantity", "depth", "--names", names)
    assert said.code == 1
    assert f"names {labels[0]}, and {truth} has no truth of it" in said.err


def test_a_list_chooses_images(kitti: Path, predicted: Path, tmp_path: Path, kinedepth: Command) -> None:
    names = tmp_path / "names.txt"
    names.write_text("# three of them\n000007.png\n000005.png\n\n000012.png\n")
    asked = ["--quantity", "depth", "--names", names, *quick(tmp_path / "out")]
    assert kinedepth("evaluate", predicted, kitti, *asked).code == 0
    with (tmp_path / "out" / "images.csv").open() as file:
        assert [line["name"][-6:] for line in csv.DictReader(file)] == ["000007", "000005", "000012"]


# What cannot be


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Three predictions and truths of 6 x 9 pixels."""
    for folder in ("pred", "gt"):
        (tmp_path / folder).mkdir()
        for place in range(3):
            depth = np.random.default_rng(place).uniform(2, 40, (6, 9))
            np.save(tmp_path / folder / f"{place}.npy", depth)
    return tmp_path


def renamed(root: Path) -> None:
    for path in list((root / "pred").iterdir()):
        path.rename(path.with_name(f"image{path.name}"))


def as_picture(path: Path) -> None:
    path.unlink()
    Image.new("L", (9, 6), 80).save(path.with_suffix(".png"))


def no_predictions(root: Path) -> None:
    shutil.rmtree(root / "pred")
    (root / "pred").mkdir()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "names": renamed,
    "nan": lambda root: np.save(root / "pred/0.npy", np.full((6, 9), np.nan)),
    "negative": lambda root: np.save(root / "pred/0.npy", np.full((6, 9), -1.0)),
    "hole": lambda root: np.save(root / "pred/0.npy", np.zeros((6, 9))),
    "8-bit": lambda root: as_picture(root / "pred/0.npy"),
    "8-bit truth": lambda root: as_picture(root / "gt/0.npy"),
    "masks as truth": lambda root: [as_picture(path) for path in list((root / "gt").iterdir())],
    "empty file": lambda root: (root / "pred/0.npy").write_bytes(b""),
    "empty folder": no_predictions,
    "nowhere": lambda root: shutil.rmtree(root / "pred"),
    "pickle": lambda root: np.save(root / "pred/0.npy", np.array([{}], dtype=object), allow_pickle=True),
    "stack": lambda root: np.save(root / "pred/1.npy", np.ones((2, 6, 9))),
}


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("names", "None of the 3 predictions in"),
        ("nan", "54 values that are not a number (NaN)"),
        ("negative", "below zero"),
        ("hole", "has no value in 54 of the 54 pixels whose truth counts"),
        ("8-bit", "an 8-bit picture is no depth"),
        ("8-bit truth", "an 8-bit picture is no depth"),
        ("masks as truth", "an 8-bit picture is no depth"),
        ("empty file", "0.npy"),
        ("empty folder", "is empty"),
        ("nowhere", "nothing at"),
        ("pickle", "0.npy"),
        ("stack", "one map is needed"),
    ],
)
def test_bad_files_are_one_sentence(small: Path, how: str, sentence: str, kinedepth: Command) -> None:
    DAMAGE[how](small)
    said = kinedepth("evaluate", small / "pred", small / "gt", "--quantity", "depth")
    assert said.code == 1
    assert sentence in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("more", "code", "sentence"),
    [
        ([], 1, "give --quantity depth, inverse_depth or disparity"),
        (["--quantity", "depth", "--flip"], 2, "--flip is for a run"),
        (["--quantity", "depth", "--protocol", "kitti-eigenn"], 2, "did you mean 'kitti-eigen'?"),
        (["--quantity", "depth", "--factor", "0"], 2, "above zero"),
        (["--quantity", "depth", "--error-maps", "-1"], 2, "from 0"),
        (["--quantity", "depth", "--protocol", "make3d"], 1, "lacks what make3d needs"),
        (["--quantity", "depth", "--names", "nowhere.txt"], 1, "there is no split nowhere.txt"),
        (["--quantity", "depth", "--protocol", "odometry-5-frames"], 1, "lacks what odometry-5-frames needs"),
        (["--pred"], 2, "--pred needs a path"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(
    small: Path, more: list[str], code: int, sentence: str, kinedepth: Command
) -> None:
    said = kinedepth("evaluate", small / "pred", small / "gt", *more)
    assert said.code == code
    assert sentence in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("quantity", "invert"), [("depth", False), ("inverse_depth", True), ("disparity", True)]
)
def test_quantities(small: Path, quantity: str, invert: bool, tmp_path: Path, kinedepth: Command) -> None:
    for path in (small / "pred").iterdir():
        depth = np.load(path)
        np.save(path, 1 / depth if invert else depth)
    asked = ["--quantity", quantity, "--align", "none", *quick(tmp_path / "out")]
    assert kinedepth("evaluate", small / "pred", small / "gt", *asked).code == 0
    assert means(tmp_path / "out")["abs_rel"] == pytest.approx(0, abs=1e-6)


def test_factor_and_steps(small: Path, tmp_path: Path, kinedepth: Command) -> None:
    for path in list((small / "pred").iterdir()):
        steps = np.rint(np.load(path) * 1000 / 2).astype(np.uint16)
        Image.fromarray(steps).save(path.with_suffix(".png"))
        path.unlink()
    asked = ["--quantity", "depth", "--png-steps", "1000", "--factor", "2", "--align", "none"]
    said = kinedepth("evaluate", small / "pred", small / "gt", *asked, *quick(tmp_path / "out"))
    assert said.code == 0
    assert "depth times 2" in said.out
    assert means(tmp_path / "out")["abs_rel"] < 1e-3


def test_alignments_stand_side_by_side(small: Path, tmp_path: Path, kinedepth: Command) -> None:
    for place in range(3):
        path = small / "pred" / f"{place}.npy"
        np.save(path, np.load(path) * (1 + place))
    asked = ["--quantity", "depth", "--median-scale", *quick(tmp_path / "out")]
    said = kinedepth("evaluate", small / "pred", small / "gt", *asked)
    note = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    found = {words: each["abs_rel"] for words, each in note["alignments"].items()}
    assert list(found) == [
        "median of each image",
        "one factor for the set",
        "one factor for the set, each prediction first scaled to its own median",
    ]
    assert found["median of each image"] == pytest.approx(0, abs=1e-6)
    assert found["one factor for the set"] > 0.2
    # The medians of the true depth differ, so that scaling each prediction helps and is not exact.
    assert 0 < list(found.values())[2] < found["one factor for the set"]
    assert "by what brings it to the truth's scale" in said.out


def test_every_error_map(small: Path, tmp_path: Path, kinedepth: Command) -> None:
    asked = ["--quantity", "depth", "--error-maps", "all", "-o", tmp_path / "out"]
    assert kinedepth("evaluate", small / "pred", small / "gt", *asked).code == 0
    assert len(list((tmp_path / "out" / "errors").glob("000?_gt_?.png"))) == 3
    note = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert all((tmp_path / "out" / each["file"]).is_file() for each in note["error_maps"])
    with (tmp_path / "out" / "worst.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["rank"] for line in lines] == ["1", "2", "3"]
    assert lines[0]["error_map"] == "error_worst.png"


# Disparity and flow


@pytest.mark.parametrize("quantity", ["disp", "flow"])
def test_expected_outliers_of_the_development_kit(
    real_data_root: Path, quantity: str, tmp_path: Path, kinedepth: Command
) -> None:
    folder = real_data_root / "kitti_flow_2015"
    expected = json.loads((folder / "expected.json").read_text())["devkit"]
    protocol = {"disp": "kitti-2015-disparity", "flow": "kitti-2015-flow"}[quantity]
    pair = folder / "devkit" / f"{quantity}_est.png", folder / "devkit" / f"{quantity}_gt.png"
    assert kinedepth("evaluate", *pair, "--protocol", protocol, "-o", tmp_path / "out").code == 0
    note = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert note["pixels"] == expected[f"{quantity}_valid_pixels"]
    assert note["means"]["model"]["whole"] == pytest.approx(
        {"epe_px": expected[f"{quantity}_epe_px"], "outlier_rate": expected[f"{quantity}_outlier_rate"]},
        rel=1e-9,
    )
