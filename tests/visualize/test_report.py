"""The page of a report: one file that needs nothing else, whatever the names in it."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import numpy as np
import pytest

from kinedepth.visualize.report import page
from kinedepth.visualize.report.charts import MOST_POINTS, Labels, Line, drawn_lines, drawn_paths, thinned
from kinedepth.visualize.report.content import (
    Cell,
    Chart,
    Charts,
    Fact,
    Facts,
    Film,
    Group,
    Key,
    Listing,
    Notes,
    Photos,
    Prose,
    Report,
    Row,
    Scale,
    Section,
    Table,
    Verdict,
)
from kinedepth.visualize.report.photos import photo

NASTY = '<script>alert(1)</script> & "it\'s" $x_{'
NUMBERS = np.array([3.0, np.nan, 1.0, 2.0])


@dataclass
class Seen(HTMLParser):
    """What a browser would see."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img", "path", "circle", "use"):
            self.opened.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def seen(html: str) -> Seen:
    reader = Seen()
    reader.feed(html)
    return reader


def picture(width: int = 40, height: int = 20) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def curve() -> Chart:
    line = Line(np.arange(4.0), NUMBERS)
    return Chart(
        NASTY,
        drawn_lines([line], Labels("step", "loss"), [(2, 1.0)]),
        NASTY,
        (Key(NASTY, 0), Key("best", -1)),
    )


@pytest.fixture
def report() -> Report:
    """Every kind of block, every text as bad as it can be."""
    shot = photo(picture(), NASTY, NASTY)
    blocks = (
        Facts(NASTY, (Fact(NASTY, NASTY), Fact("camera", "GUESSED", True))),
        Table(
            NASTY,
            NASTY,
            (NASTY,),
            (Group(NASTY, (Row(NASTY, (Cell("0.340", "0.3-0.4", True),), True),)),),
            NASTY,
        ),
        Photos((shot, shot), error_scale="0.3"),
        Photos((shot,), wide=True),
        Charts((curve(),)),
        Film(shot, "data:video/mp4;base64,AAAA"),
        Film(shot),
        Prose(NASTY),
        Listing(NASTY, NASTY),
        Notes((NASTY,)),
    )
    sections = tuple(Section(f"part{n}", NASTY, blocks if n == 0 else ()) for n in range(3))
    verdicts = (Verdict(NASTY, False), Verdict(NASTY, True), Verdict(NASTY))
    return Report(NASTY, NASTY, verdicts, Scale("relative", NASTY), sections)


def test_nothing_that_a_user_names_becomes_markup(report: Report) -> None:
    found = seen(page(report))
    assert "script" not in {tag for tag, _ in found.tags}
    assert NASTY in found.words  # the title, for instance
    assert {attributes.get("alt") for tag, attributes in found.tags if tag == "img"} == {NASTY}


def test_every_tag_is_closed_and_every_name_is_given_once(report: Report) -> None:
    found = seen(page(report))
    assert found.opened == []
    names = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(names) == len(set(names)) > 3


def test_nothing_is_fetched(report: Report) -> None:
    html = page(report)
    addresses = [
        value
        for _, attributes in seen(html).tags
        for name, value in attributes.items()
        if name in ("src", "href", "poster", "srcset", "xlink:href", "action")
    ]
    assert len(addresses) > 5
    assert [a for a in addresses if not a.startswith(("data:", "#"))] == []
    assert "@import" not in html
    assert re.findall(r"url\((?!#)", html) == []


def test_what_is_referred_to_is_there(report: Report) -> None:
    html = page(report)
    names = {attributes["id"] for _, attributes in seen(html).tags if "id" in attributes}
    assert set(re.findall(r"(?:href=\"|url\()#([^\")]+)", html)) <= names


def test_the_page_is_readable_without_seeing_it(report: Report) -> None:
    found = seen(page(report))
    tags = [tag for tag, _ in found.tags]
    assert tags.count("h1") == 1
    assert tags.count("caption") == tags.count("table") == 2
    assert all(a.get("alt") for tag, a in found.tags if tag == "img")
    assert all(a.get("aria-label") for _, a in found.tags if a.get("role") in ("img", "group"))
    assert dict(found.tags)["html"] == {"lang": "en"}


def test_bad_news_stands_in_the_title_area(report: Report) -> None:
    top = page(report).partition("</header>")[0]
    assert 'class="lead bad"' in top
    assert "not meters" in top


def test_the_same_report_gives_the_same_page(report: Report) -> None:
    assert page(report) == page(report)


def test_metric_depth_is_said() -> None:
    html = page(Report("Title", "", (), Scale("metric", "stereo", "± 3 %")))
    assert "depth in meters" in html
    assert "from stereo; ± 3 %" in html


@pytest.mark.parametrize("size", [(40, 20), (3000, 40), (1, 1)])
def test_pictures_fit_the_page(size: tuple[int, int]) -> None:
    found = photo(picture(*size), "alt", widest=1000)
    assert found.uri.startswith("data:image/jpeg;base64,")
    assert (found.width, found.height) == (
        min(size[0], 1000),
        max(1, round(size[1] * min(1, 1000 / size[0]))),
    )


@pytest.mark.parametrize("count", [0, 1, 2, MOST_POINTS, MOST_POINTS + 1, 30 * MOST_POINTS])
def test_long_curves_are_averaged(count: int) -> None:
    x = np.arange(float(count))
    found = thinned(Line(x, 2 * x))
    assert len(found.x) == min(count, MOST_POINTS)
    np.testing.assert_allclose(found.y, 2 * found.x)


def test_averages_leave_out_what_is_not_finite() -> None:
    y = np.ones(2 * MOST_POINTS)
    y[::2] = np.nan
    y[:2] = np.inf
    found = thinned(Line(np.arange(len(y), dtype=np.float64), y))
    assert np.isnan(found.y[0])
    assert (found.y[1:] == 1).all()


@pytest.mark.parametrize(
    "y",
    [
        np.zeros(0),
        np.array([2.0]),
        np.array([np.nan, np.nan]),
        np.array([1.0, np.inf, 3.0]),
        np.zeros(5),
        np.array([1e-9, 1.0, 1e9]),
        np.full(5, -3.0),
        np.array([0.0, 1e-12]),
    ],
    ids=["none", "one", "nan", "inf", "zeros", "decades", "constant", "tiny"],
)
def test_any_values_can_be_drawn(y: np.ndarray) -> None:
    svg = drawn_lines([Line(np.arange(float(len(y))), y)], Labels("step", "loss"))
    assert svg.startswith("<svg viewBox=")
    assert svg.endswith("</svg>")
    assert "nan" not in svg.lower()


def test_a_wide_range_is_logarithmic_and_a_narrow_one_is_not() -> None:
    x = np.arange(3.0)
    wide = drawn_lines([Line(x, np.array([1e-3, 1.0, 1e3]))], Labels("x", "y"))
    narrow = drawn_lines([Line(x, np.array([1.0, 1.001, 1.0]))], Labels("x", "y"))
    assert ">100<" in wide
    assert ">0.0001<" in wide or ">0.001<" in wide
    ticks = [float(text) for text in re.findall(r"text-anchor: end[^>]*>([\d.]+)<", narrow)]
    assert max(ticks) - min(ticks) > 0.05  # a change of a thousandth does not fill the drawing


def test_drawings_take_the_colors_of_the_page() -> None:
    svg = drawn_lines([Line(np.arange(4.0), NUMBERS, number) for number in range(8)], Labels("x", "y"))
    assert "var(--line-0)" in svg
    assert re.findall(r"#[0-9a-f]{6}\b", svg) == []


def test_paths_are_drawn_to_one_scale() -> None:
    square = np.array([[0.0, 0], [0, 10], [10, 10], [10, 0]])
    svg = drawn_paths([square], Labels("right (m)", "forward (m)"))
    path = next(p for p in re.findall(r'<path d="([^"]*)"[^>]*var\(--line-0\)', svg) if p.count("L") == 3)
    points = np.array([[float(v) for v in pair] for pair in re.findall(r"([\d.]+) ([\d.]+)", path)])
    sides = np.linalg.norm(np.diff(points, axis=0), axis=1)
    np.testing.assert_allclose(sides, sides[0], rtol=1e-3)
