"""Sizes at which to look again. What was looked at and kept is listed with its reason."""

import ast
from collections.abc import Iterator
from pathlib import Path

FILE, FUNCTION, MEAN = 300, 50, 13.0

KEPT: dict[str, str] = {}
"""File, or file:function -> why it may be longer."""


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lengths(trees: dict[str, ast.Module]) -> dict[str, int]:
    """Lines of every function, its docstring included: "file:name" -> lines."""
    return {
        f"{file}:{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for file, tree in trees.items()
        for node in functions(tree)
    }


def over(sizes: dict[str, int], limit: int) -> list[str]:
    return [
        f"{name}: {size} lines" for name, size in sorted(sizes.items()) if size > limit and name not in KEPT
    ]


def test_files(package: Path) -> None:
    sizes = {
        path.relative_to(package).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in package.rglob("*.py")
    }
    print("longest files:", sorted(sizes.items(), key=lambda pair: -pair[1])[:10])
    assert over(sizes, FILE) == []


def test_functions(trees: dict[str, ast.Module]) -> None:
    sizes = lengths(trees)
    print("longest functions:", sorted(sizes.items(), key=lambda pair: -pair[1])[:10])
    assert over(sizes, FUNCTION) == []


def test_the_mean_function_is_short(trees: dict[str, ast.Module]) -> None:
    sizes = list(lengths(trees).values())
    print(f"{len(sizes)} functions, mean {sum(sizes) / len(sizes):.1f} lines")
    assert sum(sizes) / len(sizes) <= MEAN


def test_what_is_kept_still_needs_it(trees: dict[str, ast.Module], package: Path) -> None:
    sizes = lengths(trees)
    limits = {name: FUNCTION if ":" in name else FILE for name in KEPT}
    now = {
        n: sizes[n] if ":" in n else len((package / n).read_text(encoding="utf-8").splitlines()) for n in KEPT
    }
    assert [name for name in KEPT if now[name] <= limits[name] or not KEPT[name]] == []
