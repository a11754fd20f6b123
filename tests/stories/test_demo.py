"""The demo, made tiny: every part runs, and what it says of itself is what its tables say."""

import json
from pathlib import Path

import av
import pytest
from rich.console import Console

from kinedepth.cli.demonstration import Plan, demonstrate, prepare
from kinedepth.cli.main import main
from kinedepth.errors import KinedepthError

TINY = Plan(
    steps=2,
    train_seeds=(1,),
    train_frames=12,
    test_seed=2,
    test_frames=6,
    video_seed=3,
    video_frames=4,
    size=(64, 96),
    workers=1,
)


@pytest.mark.slow
def test_demo(tmp_path: Path) -> None:
    console = Console(record=True, width=140)
    beats = demonstrate(tmp_path / "demo", TINY, console=console)
    said, note = console.export_text(), json.loads((tmp_path / "demo" / "demo.json").read_text())
    tables = json.loads((tmp_path / "demo" / "evaluation" / "table.json").read_text())
    score = {label: table["regions"]["whole"]["mean"]["abs_rel"] for label, table in tables.items()}
    assert list(score) == [
        "model",
        "untrained network",
        "constant depth",
        "flat ground",
        "mean training depth",
    ]
    better = {label: score["model"] < score[label] for label in score if label != "model"}
    assert note["model_beats"] == better
    assert beats == (better["untrained network"] and better["constant depth"])
    assert ("does NOT beat" in said) != beats
    assert list(note["seconds"]) == ["render", "train", "evaluate", "predict"]
    with av.open(str(tmp_path / "demo" / "prediction" / "depth.mp4")) as film:
        shapes = [frame.to_ndarray(format="rgb24").shape for frame in film.decode(video=0)]
    assert shapes == [(4 * 64, 2 * 96, 3)] * 4
    shown = [line.split("  ")[0] for line in said.partition("where to look")[2].splitlines()]
    looks = [Path(line) for line in shown if line.startswith(str(tmp_path))]
    assert len(looks) >= 10
    page = (tmp_path / "demo" / "report.html").read_text(encoding="utf-8")
    assert "Depth learned from rendered drives" in page
    assert "data:video/mp4" in page
    assert all(look.exists() for look in looks)
    assert "min" in said.rpartition("time ")[2]


def test_an_older_demo_is_kept_unless_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path / "demo", overwrite=False)
    (tmp_path / "demo" / "run").mkdir()
    assert main(["demo"]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "demo" / "run").is_dir()
    prepare(tmp_path / "demo", overwrite=True)
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["demo.json"]


def test_what_is_no_demo_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(KinedepthError, match="not overwritten"):
        prepare(tmp_path, overwrite=True)
    assert (tmp_path / "thesis.tex").exists()


def test_a_negative_number_of_steps_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--steps", "-3"]) == 2
    assert "--steps -3" in capsys.readouterr().err
