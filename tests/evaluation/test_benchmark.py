"""A set of images: matching, alignment over the set, means over images, the written and the printed table."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.benchmark import Pair, evaluate_depth
from kinedepth.evaluation.depth_printing import print_tables
from kinedepth.evaluation.output import write_csv
from kinedepth.evaluation.protocol import SEVEN, SYNTHETIC, WHOLE, Protocol
from kinedepth.evaluation.table import Table, bootstrap_interval, losses_to

PLAIN = Protocol("plain", truth="made up")
SIZE = (4, 8)


def truth(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(2, 60, SIZE)


def scaled_pairs(scales: list[float]) -> list[Pair]:
    """Perfect predictions, each in a unit of its own."""
    return [(f"image-{index}", scale / truth(index), truth(index), {}) for index, scale in enumerate(scales)]


@pytest.fixture
def table() -> Table:
    return evaluate_depth(scaled_pairs([1.0, 2.0, 4.0]), PLAIN.aligned("one_factor"))


def test_median_of_each_image() -> None:
    table = evaluate_depth(scaled_pairs([1.0, 2.0, 4.0]), PLAIN)
    assert table.mean()["abs_rel"] == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(table.ratios, [1, 2, 4])


def test_one_factor_is_the_median_of_the_ratios(table: Table) -> None:
    assert [row.factor for row in table.rows] == pytest.approx([2.0, 2.0, 2.0])
    assert table.values("abs_rel")[1] == pytest.approx(0.0, abs=1e-12)
    assert table.values("abs_rel").min(initial=1.0, where=[True, False, True]) > 0.4


def test_no_alignment_takes_the_prediction_at_its_word() -> None:
    table = evaluate_depth(scaled_pairs([1.0, 2.0]), PLAIN.aligned("none"))
    np.testing.assert_allclose(table.values("abs_rel"), [0.0, 0.5], atol=1e-12)


def test_fixed_factor() -> None:
    table = evaluate_depth(scaled_pairs([5.4, 5.4]), PLAIN.aligned("none", factor=5.4))
    assert table.mean()["abs_rel"] == pytest.approx(0.0, abs=1e-12)
    assert table.rows[0].factor == pytest.approx(5.4)


def test_pairs_are_read_once_and_in_turn() -> None:
    def stream() -> Iterator[Pair]:
        yield from scaled_pairs([1.0, 2.0, 4.0])

    assert len(evaluate_depth(stream(), PLAIN.aligned("one_factor")).rows) == 3


def test_mean_is_over_images_and_not_over_pixels() -> None:
    few, many = np.zeros(SIZE), np.full(SIZE, 10.0)
    few[0, 0] = 10.0
    pairs = [("few", np.full(SIZE, 1 / 20), few, {}), ("many", np.full(SIZE, 1 / 10), many, {})]
    assert evaluate_depth(pairs, PLAIN.aligned("none")).mean()["abs_rel"] == pytest.approx(0.5)


def test_region_counts_where_it_occurs() -> None:
    everything, nothing = np.ones(SIZE, dtype=bool), np.zeros(SIZE, dtype=bool)
    scene = np.full(SIZE, 10.0)
    pairs = [
        ("empty", 1 / scene, scene, {"dynamic objects": nothing, "background": everything}),
        ("full", 1 / (2 * scene), scene, {"dynamic objects": everything, "background": nothing}),
    ]
    table = evaluate_depth(pairs, SYNTHETIC.aligned("none"))
    assert [row.name for row in table.of("dynamic objects")] == ["full"]
    assert table.mean("dynamic objects")["abs_rel"] == pytest.approx(1.0)
    assert table.mean("background")["abs_rel"] == pytest.approx(0.0)
    assert table.mean()["abs_rel"] == pytest.approx(0.5)


def test_region_that_never_occurs_is_no_number() -> None:
    masks = {"dynamic objects": np.zeros(SIZE, dtype=bool), "background": np.ones(SIZE, dtype=bool)}
    table = evaluate_depth([("a", 1 / truth(0), truth(0), masks)], SYNTHETIC)
    assert np.isnan(table.mean("dynamic objects")["abs_rel"])
    summary = table.to_dict()["regions"]["dynamic objects"]
    assert (summary["images"], summary["mean"]["abs_rel"]) == (0, None)


def test_missing_prediction_is_named() -> None:
    pairs: list[Pair] = [*scaled_pairs([1.0]), ("drive/000007", None, truth(7), {})]
    with pytest.raises(KinedepthError, match=r"drive/000007.*missing"):
        evaluate_depth(pairs, PLAIN)


def test_an_image_counts_once() -> None:
    with pytest.raises(KinedepthError, match="image-0 is listed twice"):
        evaluate_depth(scaled_pairs([1.0]) * 2, PLAIN)


@pytest.mark.parametrize("align", ["median", "one_factor", "none"])
def test_nothing_to_evaluate(align: str) -> None:
    with pytest.raises(KinedepthError, match="no image"):
        evaluate_depth([], PLAIN.aligned(align))


def test_ratios_are_summed_up(table: Table) -> None:
    assert table.ratio_line() == f"Scaling ratios | med: 2.000 | std: {np.std([0.5, 1, 2]):.3f}"


def test_csv(table: Table, tmp_path: Path) -> None:
    path = tmp_path / "images.csv"
    write_csv(path, table.csv_lines(table.rows))
    lines = list(csv.DictReader(path.read_text().splitlines()))
    assert [line["name"] for line in lines] == ["image-0", "image-1", "image-2"]
    assert list(lines[0])[2:9] == list(SEVEN)
    assert {line["alignment"] for line in lines} == {"one factor for the set"}
    np.testing.assert_array_equal([float(line["abs_rel"]) for line in lines], table.values("abs_rel"))
    assert list(tmp_path.iterdir()) == [path]


def test_csv_into_nowhere(table: Table, tmp_path: Path) -> None:
    with pytest.raises(KinedepthError, match=r"images\.csv"):
        write_csv(tmp_path / "absent" / "images.csv", table.csv_lines(table.rows))


def test_to_dict_is_plain(table: Table) -> None:
    content = json.loads(json.dumps(table.to_dict()))
    assert content["protocol"]["alignment"] == "one factor for the set"
    assert content["regions"][WHOLE]["mean"] == pytest.approx(table.mean())
    assert len(content["rows"]) == content["images"] == 3


def test_printed_table(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    print_tables({"ours": table}, Console(width=140))
    text = capsys.readouterr().out
    header = next(line for line in text.splitlines() if "abs_rel" in line)
    assert header.replace("│", " ").split() == list(SEVEN)
    row = next(line for line in text.splitlines() if line.strip().startswith("ours "))
    numbers = [f"{value:.3f}" for value in table.mean().values()]
    assert row.replace("│", " ").split() == ["ours", *numbers]
    assert str(table.protocol) in text
    assert "3 images" in text
    assert table.ratio_line() in text


def test_printed_regions(capsys: pytest.CaptureFixture[str]) -> None:
    masks = {"dynamic objects": np.zeros(SIZE, dtype=bool), "background": np.ones(SIZE, dtype=bool)}
    table = evaluate_depth([("a", 1 / truth(0), truth(0), masks)], SYNTHETIC)
    print_tables({"ours [v1]": table}, Console(width=140))
    lines = [" ".join(line.replace("│", " ").split()) for line in capsys.readouterr().out.splitlines()]
    assert "region " + " ".join(SEVEN) + " images" in lines
    assert "ours [v1] dynamic objects" + " -" * len(SEVEN) + " 0" in lines
    assert any(line.startswith("ours [v1] background 0.000") and line.endswith(" 1") for line in lines)


def test_printed_table_says_what_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    protocol = Protocol("split", truth="made up", images=697)
    print_tables({"ours": evaluate_depth(scaled_pairs([1.0]), protocol)}, Console(width=140))
    assert "1 image of the 697 published" in capsys.readouterr().out


def test_narrow_console_keeps_the_numbers(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    print_tables({"a predictor with a rather long name": table}, Console(width=80))
    text = capsys.readouterr().out
    assert [value for value in table.mean().values() if f"{value:.3f}" not in text] == []


@pytest.mark.parametrize(("align", "noted"), [("median", False), ("one_factor", False), ("none", True)])
def test_ratios_that_were_not_applied_are_said_to_be(align: str, noted: bool) -> None:
    table = evaluate_depth(scaled_pairs([1.0, 2.0]), PLAIN.aligned(align))
    assert ("(not applied)" in table.caption()) is noted


def test_latex(table: Table) -> None:
    cells = table.latex().removesuffix(r" \\").split(" & ")
    assert cells == [f"{value:.3f}" for value in table.mean().values()]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (evaluate_depth(scaled_pairs([1.0, 2.0, 4.0]), PLAIN), "different protocols"),
        (evaluate_depth(scaled_pairs([1.0, 2.0]), PLAIN.aligned("one_factor")), "different images"),
    ],
    ids=["protocol", "images"],
)
def test_only_like_is_compared_with_like(table: Table, other: Table, message: str) -> None:
    with pytest.raises(KinedepthError, match=f"other.*{message}"):
        print_tables({"ours": table, "other": other}, Console(quiet=True))


def test_who_loses_is_said() -> None:
    tables = {
        "model": evaluate_depth(scaled_pairs([1.5, 1.5]), PLAIN.aligned("none")),
        "better": evaluate_depth(scaled_pairs([1.0, 1.0]), PLAIN.aligned("none")),
        "worse": evaluate_depth(scaled_pairs([4.0, 4.0]), PLAIN.aligned("none")),
    }
    assert losses_to(tables, "model") == ["better"]
    assert losses_to(tables, "worse") == ["model", "better"]
    assert losses_to(tables, "better", metric="a3") == ["model"]


def test_interval_holds_the_mean(table: Table) -> None:
    low, high = table.interval("abs_rel")
    assert low < table.mean()["abs_rel"] < high


def test_interval_narrows_with_the_root_of_the_number() -> None:
    values = np.random.default_rng(0).normal(size=1600)
    wide, narrow = (np.diff(bootstrap_interval(each))[0] for each in (values[:100], values))
    assert wide / narrow == pytest.approx(4, rel=0.2)
    assert narrow == pytest.approx(2 * 1.96 / 40, rel=0.15)


def test_whole_drives_are_drawn_where_there_are_enough() -> None:
    pairs = [
        (f"drive-{drive}/{frame}", (1.1 + drive / 4) / truth(frame), truth(frame), {})
        for drive in range(6)
        for frame in range(8)
    ]
    table = evaluate_depth(pairs, PLAIN.aligned("none"))
    assert table.interval_note == "bootstrap over the 6 drives"
    low, high = table.interval("abs_rel")
    as_if_independent = np.diff(bootstrap_interval(table.values("abs_rel")))[0]
    assert low < table.mean()["abs_rel"] < high
    assert high - low > 1.5 * as_if_independent


@pytest.mark.parametrize(
    ("names", "note"),
    [
        (["a", "b"], "bootstrap over the images"),
        (["x/a", "y/b"], "bootstrap over the images"),
        (["x/a", "x/b"], "they come from one drive"),
        (["x/a", "x/b", "y/a"], "they come from 2 drives"),
    ],
)
def test_an_interval_that_is_too_narrow_says_so(names: list[str], note: str) -> None:
    pairs = [(name, 1 / truth(place), truth(place), {}) for place, name in enumerate(names)]
    table = evaluate_depth(pairs, PLAIN)
    assert note in table.interval_note
    assert ("too narrow" in table.interval_note) is ("come from" in note)


def test_bands_hold_their_lower_end() -> None:
    depths = np.array([[5.0, 10.0, 20.0, 40.0, 79.0, 80.0]])
    table = evaluate_depth([("a", 1 / depths, depths, {})], PLAIN.aligned("none"))
    pixels = {name: table.of(name)[0].pixels for name in table.detailed}
    assert pixels == {"0-10 m": 1, "10-20 m": 1, "20-40 m": 1, "40-80 m": 2}


def test_a_class_shares_the_scale_of_the_image() -> None:
    scene = np.full(SIZE, 10.0)
    cars = np.zeros(SIZE, dtype=bool)
    cars[0, 0] = True
    masks = {"dynamic objects": cars, "background": ~cars, "car": cars}
    table = evaluate_depth([("a", 1 / np.where(cars, 20.0, scene), scene, masks)], SYNTHETIC)
    assert table.mean("car")["abs_rel"] == pytest.approx(1.0)
    assert "bus" not in table.detailed
