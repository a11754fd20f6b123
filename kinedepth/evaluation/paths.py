"""Trajectory files against trajectory files, whoever made them: found, matched, judged, printed, written."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from kinedepth.errors import KinedepthError, UsageError, listed
from kinedepth.evaluation.console import say
from kinedepth.evaluation.matching import match
from kinedepth.evaluation.output import MARK, provenance
from kinedepth.evaluation.path_findings import JudgedPath, PathFindings, write_path_findings
from kinedepth.evaluation.path_printing import print_path_tables, print_snippets
from kinedepth.evaluation.path_protocol import KITTI_ODOMETRY, PATH_PROTOCOLS, PathProtocol
from kinedepth.evaluation.path_table import path_table
from kinedepth.evaluation.pose_files import CONVENTION, may_be_trajectory, read_trajectory, stem
from kinedepth.evaluation.protocol import SNIPPET_PROTOCOLS
from kinedepth.inference.whole import check_output

_NAMED = 8
_BESIDE = (".md", ".json")
"""Files that may lie among trajectories."""


@dataclass(frozen=True)
class PathQuestion:
    """How trajectory files are to be compared."""

    protocol: str = "kitti-odometry"
    """A name out of `path_protocol.PATH_PROTOCOLS`."""
    tolerance: float | int | None = None
    """Seconds between two times that belong together; None: half the median interval of the denser file."""
    first_frame: int | None = None
    """The frame of the prediction's first line, where lines bear no numbers and some are missing."""


def is_trajectory(path: Path) -> bool:
    """Whether `path` is meant as a trajectory: a file named as one, or a folder of nothing but such files.

    What a file holds is not asked; of a folder, at least one file must begin as a trajectory does.
    """
    if path.is_file():
        return may_be_trajectory(path)
    if not path.is_dir():
        return False
    files = []
    for entry in path.rglob("*"):
        if entry.is_dir() or entry.name.startswith(".") or entry.suffix in _BESIDE:
            continue
        if not may_be_trajectory(entry):
            return False
        files.append(entry)
    return any(_readable(file) for file in files)


def _readable(path: Path) -> bool:
    try:
        read_trajectory(path)
    except KinedepthError:
        return False
    return True


def pairs(predicted: Path, truth: Path) -> dict[str, tuple[Path, Path]]:
    """The predicted and the true file of each sequence, by its name; folders are matched by file stem.

    One file is also matched with the `poses.txt` of a drive.

    Raises:
        KinedepthError: a path is missing, a folder holds no trajectory, two files claim one sequence, or a
            predicted sequence has no truth.
    """
    files = {stem(predicted): predicted} if predicted.is_file() else _predictions(predicted)
    if truth.is_file():
        if len(files) > 1:
            raise KinedepthError(
                f"{predicted} holds {len(files)} paths ({listed(list(files), _NAMED)}) and {truth} is one: "
                "name a folder of true paths."
            )
        return {label: (file, truth) for label, file in files.items()}
    true = _truths(truth)
    if predicted.is_file() and stem(predicted) not in true and "poses" in true:
        return {label: (file, true["poses"]) for label, file in files.items()}
    lost = [label for label, file in files.items() if stem(file) not in true]
    if lost:
        raise KinedepthError(
            f"{files[lost[0]]} has no true path in {truth}, which holds {listed(list(true), _NAMED)}: add "
            f"{stem(files[lost[0]])}.txt, or take {'it' if len(lost) == 1 else listed(lost, _NAMED)} out."
        )
    return {label: (file, true[stem(file)]) for label, file in files.items()}


def _predictions(folder: Path) -> dict[str, Path]:
    found = sorted(file for file in folder.rglob("*") if file.is_file() and may_be_trajectory(file))
    return _by_label((str(file.parent.relative_to(folder) / stem(file)), file) for file in found) or _none(
        folder
    )


def _truths(folder: Path) -> dict[str, Path]:
    """The files in a folder of true paths, or in `poses/` within it."""
    for place in (folder, folder / "poses"):
        files = [file for file in sorted(place.glob("*")) if file.is_file() and may_be_trajectory(file)]
        if files:
            return _by_label((stem(file), file) for file in files)
    return _none(folder)


def _by_label(files: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for label, file in files:
        if label in found:
            raise KinedepthError(f"{found[label]} and {file} are both called {label}: keep one of them.")
        found[label] = file
    return found


def _none(path: Path) -> dict[str, Path]:
    why = (
        "holds no trajectory (.txt, .csv, .tum or .kitti, or these with .gz)"
        if path.is_dir()
        else "is missing"
    )
    raise KinedepthError(f"{path} {why}.")


def judge_files(
    predicted: Path,
    truth: Path,
    output: Path | None,
    overwrite: bool,
    console: Console,
    asked: PathQuestion = PathQuestion(),
) -> PathFindings:
    """Judges predicted paths against true ones, prints the tables, and writes them where asked.

    Raises:
        KinedepthError: a file is no trajectory, a sequence has no truth, poses cannot be matched, the output
            exists.
        UsageError: there is no such protocol.
    """
    protocol = named_protocol(asked.protocol)
    files = pairs(predicted, truth)
    if output is not None:
        for given in (predicted, truth):
            check_output(output, overwrite=overwrite, source=given, mark=MARK)
    judged = {label: _judged(*both, protocol, asked) for label, both in files.items()}
    result = PathFindings(judged, _note(predicted, truth, protocol))
    print_findings(result, console)
    if output is not None:
        names = write_path_findings(output, result, predicted, overwrite)
        say(console, f"written    {output}: {', '.join(names)}")
    return result


def named_protocol(name: str) -> PathProtocol:
    """The protocol of a name; the 5-frame errors stand below every table, so their names give the default.

    Raises:
        UsageError: there is none.
    """
    if name in SNIPPET_PROTOCOLS:
        return KITTI_ODOMETRY
    if name not in PATH_PROTOCOLS:
        raise UsageError(
            f"There is no protocol '{name}' for whole paths: there are {', '.join(PATH_PROTOCOLS)}."
        )
    return PATH_PROTOCOLS[name]


def _judged(predicted: Path, truth: Path, protocol: PathProtocol, asked: PathQuestion) -> JudgedPath:
    own, true = read_trajectory(predicted), read_trajectory(truth)
    matched = match(own, true, asked.tolerance, asked.first_frame)
    return JudgedPath(own, true, matched, path_table(matched, protocol))


def _note(predicted: Path, truth: Path, protocol: PathProtocol) -> dict[str, Any]:
    return {
        **provenance(),
        "predicted": str(predicted.resolve()),
        "truth": str(truth.resolve()),
        "protocols": [protocol.name],
        "convention": CONVENTION,
    }


def print_findings(found: PathFindings, console: Console) -> None:
    """What was compared, then the tables."""
    for each in found.judged.values():
        say(console, *each.lines)
    say(console, f"convention {CONVENTION}; the truth is in meters")
    print_path_tables(found.tables, console)
    print_snippets({label: table.snippets for label, table in found.tables.items()}, console)
