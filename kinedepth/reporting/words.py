"""Numbers and values as people read them."""

import math
from collections.abc import Iterable
from typing import Any

from kinedepth.reporting.reading import number_of

OURS = "this model"
"""What the page calls the row of the model that it is about."""


def decimal(value: object, digits: int = 3) -> str:
    """A number with so many decimals, more where it is small; a dash where it is none.

    >>> decimal(0.34031), decimal(0.000042), decimal(None), decimal(1234.5)
    ('0.340', '4.2e-05', '–', '1234.500')
    """
    number = number_of(value)
    if number is None:
        return "–"
    return f"{number:.2g}" if 0 < abs(number) < 10.0**-digits else f"{number:.{digits}f}"


def short(value: object) -> str:
    """A number in four digits.

    >>> short(0.0394490), short(12345), short(None), short(0.0000001)
    ('0.03945', '12345', '–', '1e-07')
    """
    number = number_of(value)
    if number is None:
        return "–"
    return f"{number:.0f}" if abs(number) >= 1e4 else f"{number:.4g}"


def percent(value: object) -> str:
    """A share of one in percent.

    >>> percent(0.1234), percent(0), percent(None)
    ('12.3 %', '0 %', '–')
    """
    number = number_of(value)
    return "–" if number is None else f"{100 * number:.3g} %"


def plain(value: Any) -> str:
    """Any value of a JSON file in words: yes and no, lists with commas, objects as "name value".

    >>> plain([True, 3, 0.123456]), plain({"fps": 10.0, "size": [64, 192]}), plain(None)
    ('yes, 3, 0.1235', 'fps 10, size 64, 192', 'unknown')
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return short(value) if isinstance(value, float) else str(value)
    if isinstance(value, dict):
        return ", ".join(f"{spoken(key)} {plain(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(part) for part in value)
    return str(value)


def sized(value: object) -> str:
    """Height and width as people say a size: width first.

    >>> sized([64, 192]), sized([[64, 192], [32, 96]]), sized("large")
    ('192 × 64', '192 × 64, 96 × 32', 'large')
    """
    if isinstance(value, list | tuple) and value and all(isinstance(part, list | tuple) for part in value):
        return ", ".join(sized(part) for part in value)
    if isinstance(value, list | tuple) and len(value) == 2:
        return f"{plain(value[1])} × {plain(value[0])}"
    return plain(value)


def spoken(name: object) -> str:
    """A name of a file's key as a person would write it.

    >>> spoken("held_out/abs_rel"), spoken("dropped_frames")
    ('held out/abs rel', 'dropped frames')
    """
    return str(name).replace("_", " ")


def joined(names: Iterable[str]) -> str:
    """Names with commas and a last "and".

    >>> joined(["a", "b", "c"]), joined(["a"])
    ('a, b and c', 'a')
    """
    *most, last = list(names) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def duration(seconds: float | int) -> str:
    """A time in the two largest of its units.

    >>> duration(41.6), duration(342), duration(7322)
    ('42 s', '5 min 42 s', '2 h 2 min')
    """
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
