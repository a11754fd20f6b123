"""Trajectory files against trajectory files, through the command: tables, published numbers, bad input."""

import csv
import io
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from kinedepth.cli.main import main
from kinedepth.errors import KinedepthError
from kinedepth.evaluation.path_drawing import from_above
from kinedepth.evaluation.paths import PathFindings, PathQuestion, is_trajectory, judge_files, pairs

Paths = tuple[np.ndarray, np.ndarray]


def judge(predicted: Path, truth: Path, asked: PathQuestion | None = None) -> tuple[PathFindings, str]:
    """What was found, and what was printed."""
    console = Console(file=io.StringIO(), width=160)
    found = judge_files(predicted, truth, None, False, console, asked or PathQuestion())
    assert isinstance(console.file, io.StringIO)
    return found, console.file.getvalue()


@pytest.fixture(scope="module")
def short(drive: Paths) -> Paths:
    """400 frames of the winding drive."""
    return drive[0][:400], drive[1][:400]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, known: ModuleType, short: Paths) -> tuple[Path, Path]:
    """Folders of predicted and of true paths; the truth holds one more sequence."""
    root = tmp_path_factory.mktemp("paths with ünicode")
    kept = [frame for frame in range(400) if frame not in (7, 8)]
    known.write(root / "predicted" / "ours" / "a.txt", known.kitti_text(short[0][kept], kept))
    known.write(root / "predicted" / "theirs" / "a.txt", known.kitti_text(short[1]))
    known.write(root / "predicted" / "README.md", "made elsewhere")
    for name in ("a", "b"):
        known.write(root / "gt" / f"{name}.txt", known.kitti_text(short[1]))
    return root / "predicted", root / "gt"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, files: tuple[Path, Path]) -> Path:
    output = tmp_path_factory.mktemp("tables") / "out"
    assert main(["evaluate", *map(str, files), "-o", str(output)]) == 0
    return output


def test_the_table_holds_every_alignment(files: tuple[Path, Path]) -> None:
    found, said = judge(*files)
    assert set(found.tables) == {"ours/a", "theirs/a"}
    for words in (
        "kitti-odometry · both from the first predicted camera",
        "convention camera-to-world, x right, y down, z forward",
        "398 poses compared, matched by frame number",
        "missing: 2 true frames have no prediction: 7, 8",
        "400 poses compared, matched line by line",
        "odometry-5-frames · windows of 5 frames, with the cut windows",
        "odometry-5-frames-complete · windows of 5 frames, complete windows only",
    ):
        assert words in said
    assert said.count(" scale_7dof ") == 2
    assert found.tables["theirs/a"].row("none").absolute.rmse == pytest.approx(0, abs=1e-9)


def test_everything_is_written(written: Path) -> None:
    names = {entry.name for entry in written.iterdir()}
    each = (
        "errors_{}.csv",
        "segments_{}.csv",
        "path_{}.png",
        "error_{}.png",
        "path_{}.txt",
        "path_{}_measured.txt",
    )
    expected = {name.format(path) for name in each for path in ("ours_a", "theirs_a")}
    assert names == expected | {"evaluation.json", "paths.csv", "report.html"}
    for picture in written.glob("*.png"):
        with Image.open(picture) as opened:
            assert len(set(opened.convert("L").resize((64, 64)).tobytes())) > 3


def test_the_note_says_what_was_judged(written: Path, files: tuple[Path, Path]) -> None:
    note = json.loads((written / "evaluation.json").read_text())
    assert (note["predicted"], note["truth"]) == tuple(map(str, files))
    (ours,) = note["odometry"]["ours"]
    assert ours["sequence"] == "a"
    assert ours["missing"] == ["7", "8"]
    assert ours["main_alignment"] == "7dof"
    by_name = {row["align"]: row for row in ours["alignments"]}
    assert ours["t_err"] == by_name["7dof"]["t_err_percent"] > 0
    assert ours["whole_path_ate_m"] == {name: row["ate_m"] for name, row in by_name.items()}


def test_lists_agree_with_the_note(written: Path) -> None:
    note = json.loads((written / "evaluation.json").read_text())["odometry"]["ours"][0]
    with (written / "errors_ours_a.csv").open() as file:
        poses = list(csv.DictReader(file))
    with (written / "segments_ours_a.csv").open() as file:
        segments = [row for row in csv.DictReader(file) if row["alignment"] == "7dof"]
    with (written / "paths.csv").open() as file:
        (row,) = (r for r in csv.DictReader(file) if (r["path"], r["alignment"]) == ("ours/a", "7dof"))
    errors = np.array([float(pose["7dof"]) for pose in poses])
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(note["whole_path_ate_m"]["7dof"])
    assert np.mean([float(each["t_err_percent"]) for each in segments]) == pytest.approx(note["t_err"])
    assert float(row["rpe_m"]) == note["rpe_m"]
    assert poses[7]["frame"] == "9"
    assert row["protocol"] == "kitti-odometry"


def test_an_output_that_exists_is_kept(
    written: Path, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    before = (written / "evaluation.json").read_text()
    assert main(["evaluate", *map(str, files), "-o", str(written)]) == 1
    assert "exists" in capsys.readouterr().err
    assert (written / "evaluation.json").read_text() == before


@pytest.mark.parametrize("side", [0, 1])
def test_nothing_is_written_beside_the_input(
    files: tuple[Path, Path], side: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *map(str, files), "-o", str(files[side] / "out")]) == 1
    assert "within the input" in capsys.readouterr().err
    assert not (files[side] / "out").exists()


def test_a_file_against_a_file(files: tuple[Path, Path]) -> None:
    found, _ = judge(files[0] / "theirs" / "a.txt", files[1] / "b.txt")
    assert set(found.tables) == {"a"}
    assert set(found.as_json()["odometry"]) == {"prediction"}


def test_times_are_matched(tmp_path: Path, known: ModuleType, short: Paths) -> None:
    stamps = [0.1 * place for place in range(400)]
    predicted = known.write(
        tmp_path / "p.txt", known.tum_text(short[0][::2], [s + 0.01 for s in stamps[::2]])
    )
    truth = known.write(tmp_path / "t.txt", known.tum_text(short[1], stamps))
    found, said = judge(predicted, truth)
    assert "200 poses compared, matched by time within 0.05 s" in said
    whole, _ = judge(
        *(
            known.write(tmp_path / f"{n}.kitti", known.kitti_text(p[::2]))
            for n, p in zip("pt", short, strict=True)
        )
    )
    ours, same = (next(iter(each.tables.values())).row("7dof").values() for each in (found, whole))
    assert ours["t_err_percent"] == pytest.approx(same["t_err_percent"], rel=1e-6)
    assert ours["ate_m"] == pytest.approx(same["ate_m"], rel=1e-6)


def test_a_world_with_z_up_is_drawn_from_above(tmp_path: Path, known: ModuleType, short: Paths) -> None:
    tilt = np.eye(4)
    tilt[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    paths = [known.write(tmp_path / "kitti" / "t.txt", known.kitti_text(short[1]))]
    tilted = tilt @ short[1]
    lines = [f"{k} {p[0, 3]} {p[1, 3]} {p[2, 3]} 0 0 0 1" for k, p in enumerate(tilted)]
    paths.append(known.write(tmp_path / "tum" / "t.txt", "\n".join(lines)))
    found = [judge(path, path)[0].judged["t"] for path in paths]
    seen = [(each.matched.predicted, each.matched.true, None, bool(k)) for k, each in enumerate(found)]
    drawn = [from_above(*each)["measured"] for each in seen]
    spans = [np.ptp(each[:, (0, 2), 3], axis=0) for each in drawn]
    np.testing.assert_allclose(spans[0], spans[1])


def test_a_standing_camera_is_drawn_as_it_comes(short: Paths) -> None:
    still = np.tile(np.eye(4), (len(short[1]), 1, 1))
    assert list(from_above(still, short[1])) == ["measured", "predicted, as it comes"]


def test_a_short_path_has_a_dash(tmp_path: Path, known: ModuleType, short: Paths) -> None:
    files = [
        known.write(tmp_path / n / "x.txt", known.kitti_text(p[:60]))
        for n, p in zip("pt", short, strict=True)
    ]
    output = tmp_path / "out"
    console = Console(file=io.StringIO(), width=160)
    found = judge_files(files[0], files[1], output, False, console)
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert "too short: no segment of 100 m in 59.0 m of path" in said
    assert [row.entry("t_err_percent") for row in found.tables["x"].rows] == [None] * 5
    assert "NaN" not in (output / "evaluation.json").read_text()


# The choice of files


def test_what_is_a_trajectory(files: tuple[Path, Path], tmp_path: Path, known: ModuleType) -> None:
    assert all(map(is_trajectory, files))
    assert is_trajectory(files[1] / "a.txt")
    assert not is_trajectory(tmp_path)
    assert not is_trajectory(tmp_path / "absent.txt")
    run = known.write(tmp_path / "run" / "poses.txt", (files[1] / "a.txt").read_text()).parent
    assert is_trajectory(run)
    known.write(run / "recipe.toml", "")
    assert not is_trajectory(run)
    known.write(tmp_path / "lists" / "train.txt", "drive 0001 l\n")
    assert not is_trajectory(tmp_path / "lists")


def test_a_sequence_without_truth_is_fatal_and_named(
    files: tuple[Path, Path], tmp_path: Path, known: ModuleType
) -> None:
    known.write(tmp_path / "p" / "c.txt", (files[1] / "a.txt").read_text())
    known.write(tmp_path / "p" / "a.txt", (files[1] / "a.txt").read_text())
    with pytest.raises(KinedepthError, match=r"c\.txt has no true path in .*, which holds a, b: add c\.txt"):
        pairs(tmp_path / "p", files[1])


def test_two_files_of_one_name(files: tuple[Path, Path], tmp_path: Path, known: ModuleType) -> None:
    for name in ("a.txt", "a.csv"):
        known.write(tmp_path / name, (files[1] / "a.txt").read_text())
    with pytest.raises(KinedepthError, match="are both called a"):
        pairs(tmp_path, files[1])


def test_many_paths_against_one(files: tuple[Path, Path]) -> None:
    with pytest.raises(KinedepthError, match="holds 2 paths"):
        pairs(files[0], files[1] / "a.txt")


@pytest.mark.parametrize("name", ["", "absent"])
def test_no_truth(files: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    with pytest.raises(KinedepthError, match="holds no trajectory|is missing"):
        pairs(files[0], tmp_path / name)


def test_poses_of_a_data_set(files: tuple[Path, Path], tmp_path: Path, known: ModuleType) -> None:
    known.write(tmp_path / "poses" / "a.txt", (files[1] / "a.txt").read_text())
    assert set(pairs(files[0], tmp_path)) == {"ours/a", "theirs/a"}


def test_poses_of_a_drive(files: tuple[Path, Path], tmp_path: Path, known: ModuleType) -> None:
    truth = known.write(tmp_path / "poses.txt", (files[1] / "a.txt").read_text())
    known.write(tmp_path / "times.txt", "0.0\n0.1\n")
    assert pairs(files[0] / "theirs" / "a.txt", tmp_path)["a"][1] == truth


@pytest.mark.parametrize("name", ["odometry-5-frames", "odometry-5-frames-complete"])
def test_windows_are_part_of_every_table(files: tuple[Path, Path], name: str) -> None:
    found, _ = judge(*files, PathQuestion(name))
    assert {each.protocol.name for each in found.tables["ours/a"].snippets} >= {name}


def test_unknown_protocol(files: tuple[Path, Path]) -> None:
    with pytest.raises(KinedepthError, match="there are kitti-odometry, evo"):
        judge(*files, PathQuestion("kitti-eigen"))


BAD = {
    "empty": ("", "is empty"),
    "prose": ("It went well.", "no table of poses"),
    "ragged": ("1 0 0 0 0 1 0 0 0 0 1 0\n1 0 0\n", "line 2: 3 numbers"),
    "nan": ("nan " * 12, "finite numbers"),
    "rotation": ("5 " * 12, "no rotation"),
    "times": ("1 0 0 0 0 0 0 1\n2 0 0 0 0 0 0 1\n", "TUM file"),
    "count": ("1 0 0 0 0 1 0 0 0 0 1 0\n" * 5, "5 lines without frame numbers"),
}


@pytest.mark.parametrize(("content", "sentence"), BAD.values(), ids=BAD)
def test_bad_input_is_one_sentence(
    files: tuple[Path, Path],
    tmp_path: Path,
    known: ModuleType,
    content: str,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bad = known.write(tmp_path / "bad one.txt", content)
    assert main(["evaluate", str(bad), str(files[1] / "a.txt")]) == 1
    said = capsys.readouterr().err
    assert sentence in said
    assert "bad one.txt" in said
    assert said.count("\n") == 1


# Published numbers


@pytest.fixture(scope="module")
def published(real_data_root: Path) -> Path:
    return real_data_root / "kitti_odometry_poses"


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory, published: Path) -> dict[str, Any]:
    """What the command writes about the published trajectories."""
    output = tmp_path_factory.mktemp("published") / "out"
    assert main(["evaluate", str(published / "predicted"), str(published / "gt"), "-o", str(output)]) == 0
    return json.loads((output / "evaluation.json").read_text())["odometry"]


@pytest.mark.parametrize("align", ["none", "scale", "scale_7dof", "6dof", "7dof"])
@pytest.mark.parametrize("name", ["orb_slam2", "dfvo"])
def test_published_numbers(met: dict[str, Any], published: Path, name: str, align: str) -> None:
    values = json.loads((published / "expected_metrics.json").read_text())["trajectory_metrics"]["values"]
    rows = {
        entry["sequence"]: row for entry in met[name] for row in entry["alignments"] if row["align"] == align
    }
    expected = values[name][align]
    assert expected.keys() == rows.keys()
    found = {sequence: {key: rows[sequence][key] for key in each} for sequence, each in expected.items()}
    for sequence in expected:
        assert found[sequence] == pytest.approx(expected[sequence], rel=1e-6)


def test_published_windows(met: dict[str, Any], published: Path) -> None:
    expected = json.loads((published / "expected_metrics.json").read_text())["snippet_ate_5_frames"]["values"]
    assert expected
    for name, sequences in expected.items():
        ours = {entry["sequence"]: entry for entry in met[name]}
        for sequence, values in sequences.items():
            found = {key: ours[sequence]["snippets"][key] for key in ("mean", "std")}
            assert found | {"frames": ours[sequence]["frames"]} == pytest.approx(values, rel=1e-9)


def test_true_poses_shrunk_by_a_tenth(published: Path, tmp_path: Path) -> None:
    """Curved segments have shorter chords: less than 10 %; the sheet's numbers of sequences 09 and 10."""
    for sequence in ("09", "10"):
        rows = np.loadtxt(published / "gt" / f"{sequence}.txt.gz")
        rows[:, 3::4] *= 0.9
        np.savetxt(tmp_path / f"{sequence}.txt", rows)
    found, _ = judge(tmp_path, published / "gt")
    rows_of = {label: table.row("none") for label, table in found.tables.items()}
    assert (rows_of["09"].t_err, rows_of["09"].segments) == pytest.approx((7.57291, 958), abs=5e-6)
    assert (rows_of["10"].t_err, rows_of["10"].segments) == pytest.approx((8.60363, 464), abs=5e-6)
