"""What the folders of all evaluations share: their mark, the model's label, provenance, CSV files."""

import csv
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kinedepth.inference.notes import kinedepth_version
from kinedepth.inference.whole import whole_file

MARK = "evaluation.json"
"""The file by which the folder of an evaluation is known."""
MODEL = "model"
"""The label of the model that is judged, in every table."""


def provenance() -> dict[str, Any]:
    """By which command, when and with which version numbers were made, for evaluation.json."""
    return {
        "command": sys.argv,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "kinedepth": kinedepth_version(),
    }


def write_csv(path: Path, lines: Iterable[Iterable[object]]) -> None:
    """Writes lines of values, the first of which are the headings; whole or not at all.

    Raises:
        KinedepthError: it cannot be written.
    """
    with whole_file(path) as draft, draft.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
