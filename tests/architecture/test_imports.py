"""Imports point one way: the contracts of pyproject.toml hold, and would notice if they did not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def lint(folder: Path) -> tuple[int, str]:
    """Exit code and words of the linter on the package in a folder."""
    command = [sys.executable, "-c", LINT, "--no-cache"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return run.returncode, run.stdout + run.stderr


def test_contracts_hold(package: Path) -> None:
    code, words = lint(package.parent)
    assert code == 0, words
    assert " 0 broken" in words


PLANTED = [
    ("training/trainer.py", "kinedepth.methods.monodepth2", "Only the catalog names methods"),
    ("inference/predictor.py", "kinedepth.methods.monodepth2", "Only the catalog names methods"),
    ("training/trainer.py", "kinedepth.catalog", "Only the recipe reads the catalog"),
    ("methods/monodepth2.py", "kinedepth.data.samples", "Methods know nothing of loops, files and commands"),
    ("losses/photometric.py", "kinedepth.networks", "The tree is the pipeline"),
    ("geometry/camera.py", "kinedepth.scene", "The tree is the pipeline"),
    ("settings.py", "kinedepth.geometry.pose", "The tree is the pipeline"),
]


@pytest.mark.parametrize(("file", "module", "contract"), PLANTED)
def test_a_planted_import_is_noticed(
    file: str, module: str, contract: str, package: Path, tmp_path: Path
) -> None:
    shutil.copytree(package, tmp_path / "kinedepth", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(package.parent / "pyproject.toml", tmp_path)
    planted = tmp_path / "kinedepth" / file
    planted.write_text(f"{planted.read_text(encoding='utf-8')}\nimport {module}\n", encoding="utf-8")
    code, words = lint(tmp_path)
    assert code == 1, words
    assert f"{contract} BROKEN" in words
    assert f"kinedepth.{file[:-3].replace('/', '.')} -> {module}" in words


def test_settings_see_neither_torch_nor_ours() -> None:
    loaded = "sorted(name for name in sys.modules if name.split('.')[0] in ('torch', 'kinedepth'))"
    script = f"import sys, kinedepth.settings; print(*{loaded})"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["kinedepth", "kinedepth.errors", "kinedepth.settings"]
