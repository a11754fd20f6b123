"""The package as files and syntax trees."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "kinedepth"


@pytest.fixture(scope="session")
def package() -> Path:
    """The folder of the package."""
    return PACKAGE


@pytest.fixture(scope="session")
def trees() -> dict[str, ast.Module]:
    """Every file of the package, parsed: "geometry/pose.py" -> its tree."""
    paths = sorted(PACKAGE.rglob("*.py"))
    assert len(paths) > 50
    return {
        path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in paths
    }
