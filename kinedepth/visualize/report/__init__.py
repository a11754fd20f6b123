"""A report as one HTML page: records in, one string out. Nothing in the page is fetched from elsewhere.

`content` names the records, `charts` draws curves and paths, `photos` packs pictures; `report.html` and
`report.css` say what the page looks like.
"""

from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from kinedepth.visualize.report.content import Report


def page(report: Report) -> str:
    """The page of a report: HTML with its style, pictures and drawings inside; the same for the same report.

    Every text of the report is escaped; a chart's `svg` alone is taken as it is.
    """
    style = Markup(_own("report.css"))
    return _template().render(report=report, style=style).lstrip()


@cache
def _own(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["drawn"] = Markup
    return environment.from_string(_own("report.html"))
