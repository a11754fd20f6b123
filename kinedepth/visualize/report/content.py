"""What a report is made of: plain records, of which the template draws each kind in its own way."""

from dataclasses import dataclass, field
from typing import ClassVar

NARROW = 800
"""Pixels of a picture that loses nothing in half of the page's width."""


@dataclass(frozen=True)
class Fact:
    """A line of a list of facts."""

    name: str
    text: str
    warning: bool = False
    """Whether the reader must know it before trusting anything else."""


@dataclass(frozen=True)
class Facts:
    """Names and what they are."""

    kind: ClassVar[str] = "facts"
    caption: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Cell:
    """A number of a table, in words."""

    text: str
    note: str = ""
    """Stands below, smaller: an interval."""
    best: bool = False
    words: bool = False
    """Whether it is no number but text, which may take several lines."""


@dataclass(frozen=True)
class Row:
    """A line of a table."""

    label: str
    cells: tuple[Cell, ...]
    marked: bool = False
    """Whether this is the line that the report is about."""


@dataclass(frozen=True)
class Group:
    """Lines that belong together under a heading; without a label there is no heading."""

    label: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Table:
    """Numbers in columns."""

    kind: ClassVar[str] = "table"
    caption: str
    corner: str
    """Heads the column of labels."""
    columns: tuple[str, ...]
    groups: tuple[Group, ...]
    foot: str = ""

    def words(self, column: int) -> bool:
        """Whether a column holds text."""
        rows = [row for group in self.groups for row in group.rows]
        return any(row.cells[column].words for row in rows if column < len(row.cells))


@dataclass(frozen=True)
class Photo:
    """A picture that travels inside the page."""

    uri: str
    width: int
    height: int
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Photos:
    """Pictures, below or beside each other."""

    kind: ClassVar[str] = "photos"
    photos: tuple[Photo, ...]
    error_scale: str = ""
    """What the red end of the error colors stands for; empty where no errors are shown."""
    wide: bool = False
    """Whether the pictures may be scrolled sideways on a small screen, to stay readable."""

    @property
    def pair(self) -> bool:
        """Whether two may stand side by side: several, and none so wide that it would lose by it."""
        return len(self.photos) > 1 and not self.wide and all(each.width <= NARROW for each in self.photos)


@dataclass(frozen=True)
class Key:
    """A line of a legend; `number` chooses color and dashes, -1 is the ring of a marked point."""

    label: str
    number: int


@dataclass(frozen=True)
class Chart:
    """A drawing in SVG whose colors are the page's own."""

    title: str
    svg: str
    alt: str
    """What is drawn, with its first and last value, for those who do not see it."""
    keys: tuple[Key, ...] = ()
    caption: str = ""


@dataclass(frozen=True)
class Charts:
    """Drawings, two beside each other where there is room."""

    kind: ClassVar[str] = "charts"
    charts: tuple[Chart, ...]


@dataclass(frozen=True)
class Film:
    """A short video that travels inside the page; without `uri` only its picture is shown."""

    kind: ClassVar[str] = "film"
    poster: Photo
    uri: str = ""


@dataclass(frozen=True)
class Prose:
    """A paragraph."""

    kind: ClassVar[str] = "prose"
    text: str
    quiet: bool = False


@dataclass(frozen=True)
class Listing:
    """Text as it stands in a file, folded away."""

    kind: ClassVar[str] = "listing"
    summary: str
    text: str


@dataclass(frozen=True)
class Notes:
    """A list of sentences."""

    kind: ClassVar[str] = "notes"
    sentences: tuple[str, ...]


Block = Facts | Table | Photos | Charts | Film | Prose | Listing | Notes


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Verdict:
    """One sentence on how good it is."""

    text: str
    holds: bool | None = None
    """True: good news; False: bad news; None: neither."""


@dataclass(frozen=True)
class Scale:
    """Whether depth is in meters, and from where that is known."""

    scale: str
    source: str = ""
    uncertainty: str = ""

    @property
    def metric(self) -> bool:
        """Whether depth is in meters."""
        return self.scale == "metric"


@dataclass(frozen=True)
class Report:
    """One page."""

    title: str
    kicker: str
    """What kind of report it is, above the title."""
    verdicts: tuple[Verdict, ...]
    """The first is the lead; the others are listed below it."""
    scale: Scale | None = None
    sections: tuple[Section, ...] = field(default=())
    hero: Block | None = None
    """What is to be seen before anything is read."""
