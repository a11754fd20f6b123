"""`kinedepth report`: the page of hand-made folders, whole, cut off, damaged and hostile."""

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kinedepth.errors import KinedepthError
from kinedepth.reporting import write_report

NASTY = '<b>"street" & co<b>.mp4'
METRICS = {"abs_rel": 0.2, "rmse": 4.0, "a1": 0.8}


class Text(HTMLParser):
    """The words of a page, and what stands below each heading."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.sections: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "section":
            self.sections.append(str(dict(attributes)["id"]))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


class Page:
    """A written report, read back."""

    def __init__(self, folder: Path) -> None:
        self.html = write_report(folder).read_text(encoding="utf-8")
        reader = Text()
        reader.feed(self.html)
        self.text = " ".join(" ".join(reader.words).split())
        self.sections, self.tags = reader.sections, reader.tags
        self.top = self.text.partition("What was understood")[0]


def put_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def put_picture(path: Path, width: int = 64) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 256, (32, width, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)


def log(scores: list[float | None], last_loss: float | None = 0.1) -> str:
    lines: list[dict[str, Any]] = [
        {"step": 10 * n, "loss/photometric": 0.2, "loss/smoothness": 1e-4, "loss/total": 0.2, "lr": 1e-4}
        for n in range(1, 4)
    ]
    lines[-1]["loss/total"] = last_loss
    lines += [
        {"step": 10 * (n + 1), "held_out/loss": s, "held_out/spread": 0.5} for n, s in enumerate(scores)
    ]
    return "".join(json.dumps(line) + "\n" for line in lines)


def put_run(folder: Path, metrics: str | None = None, source: str = f"/videos/{NASTY}") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.toml").write_text('method = "monodepth2"\n[train]\nseed = 7\n[data]\nsize = [64, 96]\n')
    (folder / "metrics.jsonl").write_text(log([0.3, 0.2, 0.25]) if metrics is None else metrics)
    environment = {
        "source": source,
        "command": ["kinedepth", "train", NASTY],
        "packages": {"kinedepth": "0.1.0"},
    }
    put_json(folder / "environment.json", environment)
    return folder


def put_evaluation(folder: Path, model: float, baseline: float, **more: object) -> Path:
    def table(abs_rel: float) -> dict[str, Any]:
        mean = METRICS | {"abs_rel": abs_rel}
        region = {"images": 2, "mean": mean, "interval_95": {"abs_rel": [abs_rel - 0.01, abs_rel + 0.01]}}
        rows = [{"name": f"{n}", "region": "whole", "errors": mean} for n in range(2)]
        protocol = {
            "name": "kitti-eigen",
            "truth": "LiDAR",
            "near": 0.001,
            "far": 80.0,
            "alignment": "median",
        }
        return {"protocol": protocol, "regions": {"whole": region}, "rows": rows}

    put_json(folder / "table.json", {"model": table(model), "flat ground": table(baseline)})
    note = {"source": f"/truth/{NASTY}", "scale": "relative", "scale_source": "monocular video", "step": 700}
    put_json(folder / "evaluation.json", note | {"alignment": "median", "means": {"model": {}}} | more)
    (folder / "images.csv").write_text(
        "name,region,abs_rel,rmse\na/1,whole,0.1,3\na/2,whole,0.35,5\na/3,whole,nan,\n"
    )
    return folder


def test_a_run_tells_its_source_its_score_and_its_recipe(tmp_path: Path) -> None:
    page = Page(put_run(tmp_path / "run"))
    assert f"Depth learned from {NASTY}" in page.top
    assert (
        "The held-out score fell from 0.3 at step 10 to 0.2 at step 20; by the end it had risen to 0.25."
        in page.top
    )
    assert "best checkpoint, step 20" in page.text
    assert "96 × 64" in page.text
    assert 'method = "monodepth2"' in page.text
    assert '<b>"street' not in page.html
    assert page.sections == ["data", "curves", "made", "limits"]
    assert (page.tags.count("img"), page.tags.count("script"), page.tags.count("link")) == (0, 0, 0)


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ("", "Nothing has been logged yet"),
        ("not json\n", "Nothing has been logged yet"),
        ('{"step": 1, "loss/total": 0.5}\n', "Trained up to step 1; no held-out score was measured."),
        (log([0.2]), "Held-out score 0.2 at step 10; it was measured once."),
        (log([0.2, 0.3]), "The held-out score did not fall after its first measurement"),
        (log([0.2, 0.201]), "The held-out score stayed at 0.2 from step 10 on."),
        (log([0.3, 0.2]) + '{"step": 40, "held_out/l', "The held-out score fell from 0.3 at step 10 to 0.2"),
        (log([0.3, 0.2], None), "A loss was not finite in 1 entry of the log."),
        (log([None, None]), "Trained up to step 30; no held-out score was measured."),
        ('{"step": 1, "loss/total": NaN, "lr": Infinity, "extra": "words"}\n', "Trained up to step 1;"),
        ('{"step": 9, "held_out/loss": 0.1, "held_out/spread": 1e-9}\n', "Depth is the same everywhere"),
        (
            '{"step": 9, "held_out/loss": 0.1, "held_out/abs_rel": 0.31}\n',
            "Against true depth: abs_rel 0.310.",
        ),
    ],
    ids=[
        "empty",
        "damaged",
        "one",
        "once",
        "rose",
        "steady",
        "cut",
        "nan",
        "null",
        "infinite",
        "flat",
        "truth",
    ],
)
def test_any_log_has_a_report_that_is_honest(tmp_path: Path, metrics: str, said: str) -> None:
    page = Page(put_run(tmp_path / "run", metrics))
    assert said in page.top
    assert "curves" in page.sections
    assert "nan" not in page.text.replace("finance", "").lower().split()


def test_strips_are_shown_from_the_first_the_middle_and_the_last_step(tmp_path: Path) -> None:
    run = put_run(tmp_path / "run")
    for step in (10, 20, 30, 40, 50):
        put_picture(run / "samples" / f"step_{step:06d}_0.png")
    (run / "samples" / "step_000050_1.png").write_bytes(b"no picture")
    page = Page(run)
    assert page.tags.count("img") == 1 + 3  # the newest stands above all else too
    assert [f"Sample 0, step {step}" in page.text for step in (10, 20, 30, 40, 50)] == [
        True,
        False,
        True,
        False,
        True,
    ]


SOURCE = {
    "summary": [f"source     {NASTY} (a video)", "camera     GUESSED: FOV 60 degrees, plausible"],
    "frames": 300,
    "sequences": [
        {
            "name": NASTY,
            "frames": 300,
            "size": [717, 1279],
            "fps": 29.97,
            "gap": 3,
            "dropped": {"standstill": 41, "cuts": 2},
            "motion": {
                "median": 0.0123,
                "still_share": 0.1367,
                "cuts": [77],
                "frame": [0, 1],
                "displacement": [0.01, None],
            },
            "mask": {"share": 0.0815, "origin": "bonnet"},
            "surprise": {"a": 1},
        }
    ],
    "surprise": [1, {"deep": None}],
}


def test_what_was_understood_is_told_and_a_guess_is_a_warning(tmp_path: Path) -> None:
    run = put_run(tmp_path / "run")
    put_json(run / "source.json", SOURCE)
    put_picture(run / "mask.png")
    page = Page(run)
    assert "Warning GUESSED: FOV 60 degrees" in page.text
    for number in ("1279 × 717", "29.97", "41", "13.7 %", "1.23 %", "8.15 %", "bonnet", "Median 1 %"):
        assert number in page.text
    assert page.tags.count("img") == 1


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"sequences": 3}', '{"sequences": [1, {}], "summary": 5}']
)
def test_a_damaged_file_beside_a_run_does_no_harm(tmp_path: Path, content: str) -> None:
    run = put_run(tmp_path / "run")
    for name in ("source.json", "environment.json"):
        (run / name).write_text(content)
    (run / "recipe.toml").write_text("= broken")
    (run / "mask.png").write_text("no picture")
    assert "data" in Page(run).sections


def test_a_checkpoint_says_whether_depth_is_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = {"scale": "metric", "source": "stereo baseline 0.540 m", "factor": 5.4}
    camera = {"fx": 96.0, "fy": 96.0, "cx": 47.5, "cy": 31.5}
    content = {"unit": unit, "camera": camera, "size": [64, 96], "step": 30}
    monkeypatch.setattr("kinedepth.reporting.reading.read_header", lambda path: content)
    page = Page(put_run(tmp_path / "run"))
    assert "metric depth in meters; from stereo baseline 0.540 m" in page.top
    assert "FOV 53° × 37°, centre 0.50/0.50" in page.text
    assert "best checkpoint, step 30" in page.text
    assert "The meters come from stereo baseline 0.540 m" in page.text


def test_an_evaluation_that_wins_says_against_what(tmp_path: Path) -> None:
    page = Page(put_evaluation(tmp_path / "ev", 0.2, 0.3))
    assert "This model is better than flat ground: abs_rel 0.200, against 0.300 of flat ground." in page.text
    assert "relative depth in an unknown unit, not meters; from monocular video" in page.text
    assert "kitti-eigen · truth: LiDAR · 0.001 < depth < 80 m" in page.text
    assert "0.190–0.210" in page.text
    assert "<b>0.200</b>" in page.html
    assert "abs_rel of 2 images: best 0.100, median 0.225, worst 0.350." in page.text
    assert page.sections == ["evaluation", "errors", "made", "limits"]
    assert NASTY in page.text


@pytest.mark.parametrize("baseline", [0.1, 0.2])
def test_an_evaluation_that_loses_says_so_in_its_lead(tmp_path: Path, baseline: float) -> None:
    html = write_report(put_evaluation(tmp_path / "ev", 0.2, baseline)).read_text(encoding="utf-8")
    lead = html.partition('<p class="lead bad">')[2].partition("</p>")[0]
    assert lead.startswith("This model is NOT better than flat ground (0.")


def test_a_difference_that_is_not_printed_is_no_victory(tmp_path: Path) -> None:
    page = Page(put_evaluation(tmp_path / "ev", 0.25, 0.2501, predictions="/elsewhere/depth"))
    assert "These predictions are NOT better than flat ground (0.250): abs_rel 0.250" in page.text
    assert "Evaluation · depth" in page.text


def test_classes_and_distances_name_the_rows_that_are_not_beaten(tmp_path: Path) -> None:
    folder = put_evaluation(tmp_path / "ev", 0.2, 0.3)
    tables = json.loads((folder / "table.json").read_text())
    for label, error in {"model": 0.444, "flat ground": 0.333}.items():
        tables[label]["details"] = {"car": {"images": 1, "mean": {"abs_rel": error}}, "0-10 m": {"mean": {}}}
        tables[label]["interval_95"] = "bootstrap over the 7 drives"
    put_json(folder / "table.json", tables)
    page = Page(folder)
    assert "not better than" in page.text
    assert "flat ground (0.333)" in page.text
    assert "bootstrap over the 7 drives" in page.text


def test_alignments_stand_side_by_side(tmp_path: Path) -> None:
    both = {"median of each image": METRICS, "none": METRICS | {"abs_rel": 0.777}}
    page = Page(put_evaluation(tmp_path / "ev", 0.2, 0.3, alignments=both))
    assert "0.777" in page.text


def test_means_are_enough_for_a_table(tmp_path: Path) -> None:
    put_json(
        tmp_path / "evaluation.json",
        {"means": {"model": {"whole": METRICS}, "none": {"whole": {}}}, "scale": 3},
    )
    page = Page(tmp_path)
    assert "abs_rel 0.200; nothing was measured beside it." in page.text
    assert page.sections == ["evaluation", "made", "limits"]


def test_error_maps_carry_their_scale_and_the_worst_comes_first(tmp_path: Path) -> None:
    maps = [{"file": "error_worst.png", "name": NASTY, "rank": 1, "abs_rel": 0.345}]
    folder = put_evaluation(tmp_path / "ev", 0.2, 0.3, error_maps=maps)
    for name in ("median", "worst_2", "worst"):
        put_picture(folder / f"error_{name}.png", 2000)
    page = Page(folder)
    assert page.tags.count("img") == 3
    assert "0.3 or more" in page.text
    captions = [f"{NASTY} (worst, abs_rel 0.345)", "The worst number 2 image", "The median image"]
    places = [page.text.find(caption) for caption in captions]
    assert -1 < places[0] < places[1] < places[2]


def poses(count: int, step: float) -> str:
    return "".join(f"1 0 0 {n % 3} 0 1 0 0 0 0 1 {n * step}\n" for n in range(count))


def path_entry(sequence: str, ate: float, window: float) -> dict[str, Any]:
    row = {
        "align": "7dof",
        "ate_m": ate,
        "t_err_percent": 4.56,
        "r_err_deg_per_100m": None,
        "segments": 3,
        "ape_m": {},
    }
    snippets = {"mean": window, "std": 0.01, "windows": 39, "protocol": {"name": "odometry-5-frames"}}
    return {
        "sequence": sequence,
        "snippets": snippets,
        "whole_path_ate_m": {"7dof": ate},
        "alignments": [row],
    }


def test_a_path_is_drawn_and_compared(tmp_path: Path) -> None:
    odometry = {"model": [path_entry("09", 1.234, 0.02)], "straight ahead": [path_entry("09", 0.5, 0.01)]}
    put_json(tmp_path / "evaluation.json", {"odometry": odometry, "scale": "relative"})
    (tmp_path / "path_09.txt").write_text(poses(9, 1.0) + "1 0 0\n")
    (tmp_path / "path_09_measured.txt").write_text(poses(9, 2.0))
    (tmp_path / "errors_09.csv").write_text("frame,along_m,7dof\n0,0.0,0.1\n1,2.0,0.321\n2,4.0,nan\n")
    page = Page(tmp_path)
    assert "NOT better than straight ahead (0.010 m): ATE of short windows 0.020 m" in page.text
    assert "predicted, 7 DoF aligned" in page.text
    for number in ("1.234", "4.560", "39", "largest: 7dof 0.321 m"):
        assert number in page.html
    assert page.sections == ["path", "made", "limits"]


def test_paths_of_others_are_told_without_a_judgement(tmp_path: Path) -> None:
    put_json(tmp_path / "evaluation.json", {"odometry": {"prediction": [path_entry("09", 1.234, 0.02)]}})
    (tmp_path / "path_09.txt").write_text(poses(1, 0.0))
    assert "prediction/09, 7 DoF aligned: ATE 1.234 m and t_err 4.560 %." in Page(tmp_path).text


def test_a_camera_that_never_moves_still_has_a_drawing(tmp_path: Path) -> None:
    put_json(tmp_path / "evaluation.json", {})
    for name in ("path_a.txt", "path_a_measured.txt"):
        (tmp_path / name).write_text("1 0 0 0 0 1 0 0 0 0 1 0\n" * 4)
    assert "the predicted camera never moves" in Page(tmp_path).text


def test_a_demo_holds_all_of_it(tmp_path: Path) -> None:
    put_json(tmp_path / "demo.json", {"seconds": {"train": 342.4}, "plan": {"test_seed": 100}})
    put_run(tmp_path / "run")
    put_evaluation(tmp_path / "evaluation", 0.2, 0.3)
    put_json(
        tmp_path / "prediction" / "prediction.json",
        {"frames": 60, "sizes": [[128, 384]], "scale": "relative"},
    )
    (tmp_path / "prediction" / "poses_tum.txt").write_text(
        "# time\n" + "".join(f"{n} 0 0 {n} 0 0 0 1\n" for n in range(5))
    )
    (tmp_path / "prediction" / "depth.mp4").write_bytes(b"cut off")
    page = Page(tmp_path)
    assert page.sections == ["data", "curves", "evaluation", "errors", "prediction", "made", "limits"]
    assert page.top.index("better than flat ground") < page.top.index("held-out score fell")
    assert "5 min 42 s" in page.text
    assert "384 × 128" in page.text


def test_a_demo_that_was_stopped_says_so(tmp_path: Path) -> None:
    put_json(tmp_path / "demo.json", {"unfinished": True})
    page = Page(tmp_path)
    assert "stopped before its end" in page.text
    assert "made" in page.sections


def test_the_same_folder_gives_the_same_page_also_twice(tmp_path: Path) -> None:
    run = put_run(tmp_path / "run")
    assert write_report(run).read_bytes() == write_report(run).read_bytes()


def test_a_long_run_with_large_pictures_stays_small(tmp_path: Path) -> None:
    line = (
        '{{"step": {}, "loss/a": 0.{}, "loss/b": 0.2, "loss/total": 0.4, "held_out/loss": 0.5, "lr": 1e-4}}\n'
    )
    run = put_run(tmp_path / "run", "".join(line.format(n, n) for n in range(1, 5000)))
    for step in range(4):
        put_picture(run / "samples" / f"step_{step:06d}_0.png", 4000)
    assert write_report(run).stat().st_size < 1_000_000


def test_the_command_writes_where_it_is_told(tmp_path: Path, kinedepth: Callable) -> None:
    run, page = put_run(tmp_path / "run"), tmp_path / "page.html"
    assert kinedepth("report", run).code == 0
    said = kinedepth("report", run, "-o", page)
    assert (said.code, said.err) == (0, "")
    assert str(page) in said.out
    assert page.read_bytes() == (run / "report.html").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["run", "page.html"] or page.exists()


@pytest.mark.parametrize("name", ["empty", "absent", "half"])
def test_another_folder_is_refused(tmp_path: Path, kinedepth: Callable, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "metrics.jsonl").touch()
    said = kinedepth("report", tmp_path / name)
    assert said.code == 1
    assert "is no folder of a run, an evaluation or a demo" in said.err
    assert not (tmp_path / name / "report.html").exists()


def test_a_report_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    run = put_run(tmp_path / "run")
    with pytest.raises(KinedepthError, match="name a file"):
        write_report(run, tmp_path)
    with pytest.raises(KinedepthError, match="could not be written"):
        write_report(run, tmp_path / "absent" / "page.html")
    assert {path.name for path in tmp_path.iterdir()} == {"run"}
