"""What users may rely on: names, docstrings, and an import that costs and changes nothing."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version

import pytest

import kinedepth

PUBLIC = ["Camera", "Pose", "Prediction", "Predictor", "View", "load"]
HEAVY = {
    "torch",
    "torchvision",
    "timm",
    "trimesh",
    "cv2",
    "matplotlib",
    "av",
    "lightning_fabric",
    "scipy",
    "numpy",
}


def test_public_names() -> None:
    """A change here is a change for users: write it into the changelog."""
    assert sorted(kinedepth.__all__) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_with_its_docstring(name: str) -> None:
    assert getattr(kinedepth, name).__doc__
    assert name in dir(kinedepth)


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'depth_of_everything'"):
        kinedepth.depth_of_everything  # noqa: B018


def test_version_is_the_distributions() -> None:
    assert kinedepth.__version__ == version("kinedepth")


def python(script: str) -> str:
    """What a fresh interpreter prints."""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_import_is_light() -> None:
    loaded = set(
        python("import sys, kinedepth; print(*{name.split('.')[0] for name in sys.modules})").split()
    )
    assert loaded & HEAVY == set()


FLAGS = """
import importlib, json, pkgutil
import numpy, torch

def flags():
    return {
        "threads": torch.get_num_threads(), "dtype": str(torch.get_default_dtype()),
        "grad": torch.is_grad_enabled(), "matmul": torch.get_float32_matmul_precision(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "cudnn": [torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark],
        "cudnn tf32": torch.backends.cudnn.allow_tf32,
        "tf32": torch.backends.cuda.matmul.allow_tf32, "device": str(torch.get_default_device()),
        "random": [int(torch.get_rng_state().sum()), int(numpy.random.get_state()[1].sum())],
        "anomaly": torch.is_anomaly_enabled(), "errors": numpy.geterr(),
    }

before = flags()
import kinedepth
names = [module.name for module in pkgutil.walk_packages(kinedepth.__path__, "kinedepth.")]
for name in names:
    importlib.import_module(name)
print(json.dumps([len(names), before, flags()]))
"""


def test_importing_everything_changes_no_flag() -> None:
    count, before, after = json.loads(python(FLAGS))
    assert count > 50
    assert after == before


def overload(node: ast.AST) -> bool:
    return any(
        isinstance(one, ast.Name) and one.id == "overload" for one in getattr(node, "decorator_list", [])
    )


def undocumented(file: str, tree: ast.Module) -> Iterator[str]:
    """Public things without a docstring: modules, classes, functions and methods."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

    def inside(node: ast.Module | ast.ClassDef, path: str) -> Iterator[str]:
        if not ast.get_docstring(node):
            yield path
        for child in node.body:
            if not isinstance(child, kinds) or child.name.startswith("_") or overload(child):
                continue
            if isinstance(child, ast.ClassDef):
                yield from inside(child, f"{path}:{child.name}")
            elif not ast.get_docstring(child):
                yield f"{path}:{child.name}"

    yield from inside(tree, file)


def test_everything_public_has_a_docstring(trees: dict[str, ast.Module]) -> None:
    assert [name for file, tree in trees.items() for name in undocumented(file, tree)] == []


def test_a_missing_docstring_is_seen() -> None:
    source = '"""."""\nclass A:\n    def b(self): ...\n    def _c(self): ...\ndef d(): ...\n'
    assert list(undocumented("x.py", ast.parse(source))) == ["x.py:A", "x.py:A:b", "x.py:d"]
