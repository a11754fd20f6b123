"""Names: no branch on a method's name, no drawers for odds and ends, one spelling."""

import ast
import re
from collections.abc import Iterator

import pytest

from kinedepth.catalog import DEPTH_NETWORKS, ENCODERS, METHODS

CATALOG_NAMES = {*METHODS, *DEPTH_NETWORKS, *ENCODERS}
MAY_NAME_THEM = ("methods/", "catalog.py", "recipe.py")

DRAWERS = re.compile(r"(^|_)(utils?|misc|helpers?|commons?|base|new|old|stuff|v\d+)(_|$)")
PREFIXES = re.compile(r"^_?(get|compute|process|do)_")
BRITISH = re.compile(r"colour|centre|grey|optimis|visualis|normalis|initialis|regularis|neighbour|licence")
OTHER_WORDS = re.compile(r"(^|_)(disp|disparity|tgt|lookup|homo)(_|$)")


def compared_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of every comparison, match or look-up key with a name of the catalog."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare | ast.MatchValue):
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and part.value in CATALOG_NAMES:
                    yield node.lineno, str(part.value)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("startswith", "endswith"):
            for part in node.args:
                if isinstance(part, ast.Constant) and part.value in CATALOG_NAMES:
                    yield node.lineno, str(part.value)


@pytest.mark.parametrize(
    "line",
    [
        'a = name == "monodepth2"',
        'a = "resnet18" != name',
        'a = name in ("other", "monodepth2")',
        'a = name.startswith("monodepth2")',
        'match name:\n    case "monodepth2":\n        pass',
    ],
)
def test_a_branch_on_a_name_of_the_catalog_is_seen(line: str) -> None:
    assert len(list(compared_names(ast.parse(line)))) == 1


def test_other_uses_of_a_name_are_let_be() -> None:
    assert not list(compared_names(ast.parse('method: str = "monodepth2"\nTABLE = {"monodepth2": 1}')))


def test_nobody_branches_on_a_name_of_the_catalog(trees: dict[str, ast.Module]) -> None:
    found = [
        f"{file}:{line} compares with '{name}'"
        for file, tree in trees.items()
        if not file.startswith(MAY_NAME_THEM)
        for line, name in compared_names(tree)
    ]
    assert found == []


def test_no_drawers_for_odds_and_ends(trees: dict[str, ast.Module]) -> None:
    parts = {(file, part) for file in trees for part in file.removesuffix(".py").split("/")}
    assert [file for file, part in sorted(parts) if DRAWERS.search(part.strip("_"))] == []


def identifiers(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of everything that the file itself names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id


def named(trees: dict[str, ast.Module], pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{f}:{line} {n}"
        for f, tree in trees.items()
        for line, n in identifiers(tree)
        if pattern.search(n.lower())
    ]


def test_identifiers_are_spelt_as_pytorch_spells(trees: dict[str, ast.Module]) -> None:
    assert named(trees, BRITISH) == []


def test_one_word_for_each_thing(trees: dict[str, ast.Module]) -> None:
    assert named(trees, OTHER_WORDS) == []


NOT_OURS = {"get_renderables"}
"""Methods of a library's class that ours fill in: rich asks for its progress bar by this name."""


def test_functions_say_what_they_give(trees: dict[str, ast.Module]) -> None:
    found = [
        f"{file}:{node.lineno} {node.name}"
        for file, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and PREFIXES.search(node.name) and node.name not in NOT_OURS
    ]
    assert found == []


NEEDED = {"grid_sample": {"mode", "padding_mode", "align_corners"}, "interpolate": {"mode"}}


def test_sampling_leaves_no_default_to_the_library(trees: dict[str, ast.Module]) -> None:
    """A default of PyTorch that changed once moved everybody's warps by up to half a pixel."""
    found, seen = [], 0
    for file, tree in trees.items():
        for node in ast.walk(tree):
            needed = (
                NEEDED.get(getattr(node.func, "attr", ""), set()) if isinstance(node, ast.Call) else set()
            )
            if isinstance(node, ast.Call) and needed:
                given = {keyword.arg for keyword in node.keywords}
                smooth = any(
                    isinstance(k.value, ast.Constant) and k.value.value in ("bilinear", "bicubic")
                    for k in node.keywords
                )
                missing = (needed | ({"align_corners"} if smooth else set())) - given
                seen += 1
                found += [f"{file}:{node.lineno} leaves out {sorted(missing)}"] if missing else []
    assert seen > 2
    assert found == []


def test_annotations_are_evaluated(trees: dict[str, ast.Module]) -> None:
    """Under postponed annotations, or with typing.Self, shape checks may be lost."""
    found = [
        f"{file}:{node.lineno}"
        for file, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and any(n.name in ("annotations", "Self") for n in node.names)
    ]
    assert found == []
