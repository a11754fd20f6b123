"""A set of images: matching, alignment over the set, means over images, the written and the printed table."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.benchmark import Pair, evaluate_depth, matched
from kinedepth.evaluation.depth import METRICS
from kinedepth.evaluation.protocol import SYNTHETIC, WHOLE, Protocol
from kinedepth.evaluation.table import Table, bootstrap_interval, losses_to, print_tables

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


def test_matched_by_name_and_not_by_order() -> None:
    truths = {"b": truth(1), "a": truth(0)}
    predictions = {"a": 1 / truth(0), "b": 1 / truth(1)}
    table = evaluate_depth(matched(predictions, truths), PLAIN.aligned("none"))
    assert table.mean()["abs_rel"] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("predicted", "true", "message"),
    [
        ("ab", "abc", "prediction of c is missing"),
        ("abc", "ab", "truth of c is missing"),
        ("a", "abc", "prediction of b and of 1 more is missing"),
    ],
)
def test_match_names_what_is_missing(predicted: str, true: str, message: str) -> None:
    maps = {name: truth(0) for name in "abc"}
    with pytest.raises(KinedepthError, match=message):
        matched({name: maps[name] for name in predicted}, {name: maps[name] for name in true})


def test_match_may_be_told_which() -> None:
    maps = {name: truth(0) for name in "abc"}
    assert [pair[0] for pair in matched(maps, maps, names=["c", "a"])] == ["c", "a"]


def test_match_hands_regions_on() -> None:
    masks = {"a": {"dynamic objects": np.ones(SIZE, dtype=bool)}}
    assert [list(pair[3]) for pair in matched({"a": truth(0)}, {"a": truth(0)}, masks)] == [
        ["dynamic objects"]
    ]


def test_ratios_are_summed_up(table: Table) -> None:
    assert table.ratio_line() == f"Scaling ratios | med: 2.000 | std: {np.std([0.5, 1, 2]):.3f}"


def test_csv(table: Table, tmp_path: Path) -> None:
    path = tmp_path / "images.csv"
    table.write_csv(path)
    lines = list(csv.DictReader(path.read_text().splitlines()))
    assert [line["name"] for line in lines] == ["image-0", "image-1", "image-2"]
    assert list(lines[0])[2:9] == list(METRICS)
    assert {line["alignment"] for line in lines} == {"one factor for the set"}
    np.testing.assert_array_equal([float(line["abs_rel"]) for line in lines], table.values("abs_rel"))
    assert list(tmp_path.iterdir()) == [path]


def test_csv_is_not_overwritten(table: Table, tmp_path: Path) -> None:
    path = tmp_path / "images.csv"
    path.write_text("precious")
    with pytest.raises(KinedepthError, match=r"images\.csv exists"):
        table.write_csv(path)
    assert path.read_text() == "precious"
    table.write_csv(path, overwrite=True)
    assert path.read_text().startswith("name,region,abs_rel")


def test_csv_into_nowhere(table: Table, tmp_path: Path) -> None:
    with pytest.raises(KinedepthError, match=r"images\.csv"):
        table.write_csv(tmp_path / "absent" / "images.csv")


def test_to_dict_is_plain(table: Table) -> None:
    content = json.loads(json.dumps(table.to_dict()))
    assert content["protocol"]["alignment"] == "one factor for the set"
    assert content["regions"][WHOLE]["mean"] == pytest.approx(table.mean())
    assert len(content["rows"]) == content["images"] == 3


def test_printed_table(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    table.print(Console(width=140), label="ours")
    text = capsys.readouterr().out
    header = next(line for line in text.splitlines() if "abs_rel" in line)
    assert header.replace("│", " ").split() == list(METRICS)
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
    assert "region " + " ".join(METRICS) + " images" in lines
    assert "ours [v1] dynamic objects" + " -" * len(METRICS) + " 0" in lines
    assert any(line.startswith("ours [v1] background 0.000") and line.endswith(" 1") for line in lines)


def test_printed_table_says_what_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    protocol = Protocol("split", truth="made up", images=697)
    evaluate_depth(scaled_pairs([1.0]), protocol).print(Console(width=140))
    assert "1 image of the 697 published" in capsys.readouterr().out


def test_narrow_console_keeps_the_numbers(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    table.print(Console(width=80), label="a predictor with a rather long name")
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
