"""`kinedepth evaluate`, through the door that users take."""

import csv
import json
from pathlib import Path

import pytest
import torch

from kinedepth.cli.main import main
from kinedepth.data.synthetic import DriveSettings, write_drive
from kinedepth.inference.weights import read_weights, write_weights
from kinedepth.recipe import build_method, flat_ground, header, understand
from kinedepth.settings import Settings, changed

SIZE = (64, 96)
FRAMES = 6


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drives") / "test"
    write_drive(DriveSettings(seed=8, frames=FRAMES, size=SIZE), folder)
    return folder


def checkpoint(folder: Path, drive: Path, **unit: object) -> Path:
    """A run that was stopped before its first step."""
    settings = changed(
        Settings(),
        network={"weights": "scratch", "start": "flat_ground"},
        data={"size": SIZE, "jitter": False},
    )
    footage = understand(drive, settings.data)
    torch.manual_seed(settings.train.seed)
    method = build_method(settings, flat_ground(settings, footage))
    note = header(settings, footage)
    note["unit"] = note["unit"] | unit
    (folder / "checkpoints").mkdir(parents=True)
    write_weights(folder / "checkpoints" / "best.safetensors", method.networks.state_dict(), note)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, drive: Path) -> Path:
    return checkpoint(tmp_path_factory.mktemp("runs") / "relative", drive)


@pytest.fixture(scope="module")
def metric_run(tmp_path_factory: pytest.TempPathFactory, drive: Path, run: Path) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "metric"
    tensors, note = read_weights(run / "checkpoints" / "best.safetensors")
    note["unit"] = {"scale": "metric", "source": "stereo baseline 0.540 m", "factor": 5.4}
    (folder / "checkpoints").mkdir(parents=True)
    write_weights(folder / "checkpoints" / "best.safetensors", tensors, note)
    return folder


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, run: Path, drive: Path) -> Path:
    output = tmp_path_factory.mktemp("tables") / "out"
    assert main(["evaluate", "--device", "cpu", str(run), str(drive), "-o", str(output)]) == 0
    return output


def test_protocol_scale_and_rows_are_printed(
    run: Path, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(run), str(drive), "--protocol", "synthetic", "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    for words in ("synthetic · truth: rendered depth", "scale      relative (monocular video)"):
        assert words in said
    assert "scale: median of each image" in " ".join(said.split())
    for row in ("model", "untrained network", "constant depth", "flat ground"):
        assert said.count(f" {row} ") >= 3
    assert f"model: {FRAMES} images" in said
    assert "worst image  test/0000" in said
    assert "5-frame" not in said


def test_a_model_that_never_learned_loses_to_the_untrained_network(written: Path) -> None:
    tables = json.loads((written / "table.json").read_text())
    whole = {label: table["regions"]["whole"]["mean"]["abs_rel"] for label, table in tables.items()}
    assert whole["model"] == pytest.approx(whole["untrained network"], rel=1e-6)
    assert whole["model"] != pytest.approx(whole["constant depth"], rel=1e-2)


def test_a_loss_is_said(run: Path, drive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["evaluate", str(run), str(drive), "--device", "cpu"])
    said = capsys.readouterr().out
    assert "LOSES to untrained network" in said
    assert "5-frame error" in said
    assert "ATE 7dof" in said


def test_every_image_is_listed_by_name(written: Path) -> None:
    with (written / "images.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows if row["region"] == "whole"] == [
        f"test/{index:06d}" for index in range(FRAMES)
    ]
    assert {row["protocol"] for row in rows} == {"synthetic"}


def test_the_note_says_command_and_protocol(written: Path, run: Path) -> None:
    note = json.loads((written / "evaluation.json").read_text())
    assert note["protocols"] == ["synthetic", "odometry-5-frames"]
    assert (note["scale"], note["alignment"]) == ("relative", "median")
    assert note["command"]
    assert note["checkpoint"].endswith("best.safetensors")
    assert set(note["odometry"]) == {"model", "untrained network", "straight ahead"}


def test_an_output_that_exists_is_kept(
    written: Path, run: Path, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (written / "evaluation.json").read_text()
    arguments = ["evaluate", str(run), str(drive), "-o", str(written), "--protocol", "odometry-5-frames"]
    assert main(arguments) == 1
    assert "exists" in capsys.readouterr().err
    assert (written / "evaluation.json").read_text() == before


def test_an_older_evaluation_is_replaced_when_asked(
    tmp_path: Path, run: Path, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "evaluation.json").write_text("{}")
    (output / "old.png").write_text("")
    arguments = ["evaluate", str(run), str(drive), "-o", str(output), "--overwrite"]
    assert main([*arguments, "--protocol", "odometry-5-frames", "--device", "cpu"]) == 0
    assert sorted(path.name for path in output.iterdir()) == [
        "evaluation.json",
        "path_test.png",
        "path_test.txt",
        "path_test_measured.txt",
        "report.html",
    ]


def test_a_metric_model_is_taken_at_its_word(
    metric_run: Path, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(metric_run), str(drive), "--device", "cpu"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "metric (stereo baseline 0.540 m, depth times 5.4)" in said
    assert "scale: none" in said
    assert "constant depth 10 m" in said
    assert "(not applied)" in said
    assert "ATE none" in said


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--protocol", "sintetic"], 2, "did you mean 'synthetic'?"),
        (["--protocol", "kitti-eigen"], 1, "lacks what kitti-eigen needs, LiDAR scans"),
        (["--align", "none"], 1, "needs a metric model"),
        (["--protocl", "synthetic"], 2, "did you mean '--protocol'?"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    run: Path, drive: Path, arguments: list[str], code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(run), str(drive), "--device", "cpu", *arguments]) == code
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_a_source_that_is_not_there(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(run), str(tmp_path / "nowhere"), "--device", "cpu"]) == 1
    assert "nowhere" in capsys.readouterr().err


def test_a_model_without_pose_network_leaves_poses_aside(
    run: Path, drive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("kinedepth.judging.knows_motion", lambda predictor: False)
    assert main(["evaluate", str(run), str(drive), "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "trained without a pose network" in said
    assert "ATE" not in said


# Beside the main table


def test_classes_and_ranges_are_told(written: Path) -> None:
    note = json.loads((written / "evaluation.json").read_text())
    assert {"road", "0-10 m", "10-20 m", "20-40 m"} <= set(note["details"])
    assert not {"sky", "unknown"} & set(note["details"])
    with (written / "details.csv").open() as file:
        rows = list(csv.DictReader(file))
    with (written / "images.csv").open() as file:
        whole = {row["name"]: row for row in csv.DictReader(file) if row["region"] == "whole"}
    bands = [row for row in rows if row["region"].endswith(" m")]
    pixels = {name: sum(int(row["pixels"]) for row in bands if row["name"] == name) for name in whole}
    assert pixels == {name: int(row["pixels"]) for name, row in whole.items()}
    assert {row["factor"] for row in rows} == {row["factor"] for row in whole.values()}


def test_intervals_alignments_and_the_worst_are_printed(
    run: Path, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--protocol", "synthetic", "--device", "cpu", "--median-scale", "--latex", "--align", "all"]
    assert main(["evaluate", str(run), str(drive), *asked]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for words in (
        "with 95 % intervals (bootstrap over the images, too narrow: they come from one drive",
        "by what brings it to the truth's scale",
        "one factor for the set, each prediction first scaled to",
        "by class and by true depth; the scale is that of the whole image",
        "worst image test/0000",
        "model, one factor for the set & ",
    ):
        assert words in said


def test_a_metric_model_is_shown_under_every_alignment(metric_run: Path, drive: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    asked = ["--protocol", "synthetic", "--device", "cpu", "-o", str(output), "--error-maps", "1"]
    assert main(["evaluate", str(metric_run), str(drive), *asked]) == 0
    note = json.loads((output / "evaluation.json").read_text())
    assert list(note["alignments"]) == ["none", "median of each image", "one factor for the set"]
    assert note["alignments"]["none"] == pytest.approx(note["means"]["model"]["whole"])
    assert sorted(path.name for path in output.glob("error_*")) == ["error_median.png", "error_worst.png"]


# What `kinedepth predict` wrote


@pytest.mark.parametrize("layout", ["out", "out/depth_png16"])
def test_predictions_on_disk_are_judged_like_the_run(
    run: Path, drive: Path, written: Path, layout: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(run), str(drive), "-o", str(tmp_path / "out"), "--device", "cpu"]) == 0
    output = tmp_path / "table"
    asked = ["--protocol", "synthetic", "-o", str(output), "--error-maps", "0"]
    assert main(["evaluate", str(tmp_path / layout), str(drive), *asked]) == 0
    ours, theirs = (
        json.loads((place / "evaluation.json").read_text())["means"]["model"] for place in (output, written)
    )
    for region in ("whole", "dynamic objects", "background"):
        assert ours[region] == pytest.approx(theirs[region], rel=5e-3)
    said = capsys.readouterr().out
    assert "scale      relative (monocular video)" in said
    assert "untrained network" not in said


def test_relative_files_are_not_taken_at_their_word(
    run: Path, drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(run), str(drive), "-o", str(tmp_path / "out"), "--device", "cpu"]) == 0
    assert main(["evaluate", str(tmp_path / "out"), str(drive), "--align", "none"]) == 1
    assert "needs a metric model" in capsys.readouterr().err
