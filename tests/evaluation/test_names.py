"""Which prediction belongs to which truth."""

from pathlib import Path

import pytest

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.names import matches, parts, read_names

RAW = "2011_09_26/2011_09_26_drive_0002_sync"


@pytest.mark.parametrize(
    ("wanted", "given", "expected"),
    [
        (["d/5", "d/6"], ["6", "5"], {"d/5": "5", "d/6": "6"}),
        (["a/5", "b/5"], ["b/5", "a/5"], {"a/5": "a/5", "b/5": "b/5"}),
        (["a/5", "b/5"], ["x/a/depth/5", "x/b/depth/5"], {"a/5": "x/a/depth/5", "b/5": "x/b/depth/5"}),
        (["a/5", "b/5"], ["a_5", "b_5"], {"a/5": "a_5", "b/5": "b_5"}),
        ([f"{RAW}/l/0000000069"], [f"{RAW}/image_02/data/0000000069"], None),
        (
            [f"{RAW}/l/0000000069", f"{RAW}/r/0000000069"],
            [f"{RAW}/image_03/data/0000000069", f"{RAW}/image_02/data/0000000069"],
            {
                f"{RAW}/l/0000000069": f"{RAW}/image_02/data/0000000069",
                f"{RAW}/r/0000000069": f"{RAW}/image_03/data/0000000069",
            },
        ),
        ([f"{RAW}/l/0000000069"], ["2011_09_26_drive_0002_sync_image_0000000069_image_02"], None),
        (["a/5", "b/5"], ["c/5"], {}),
        (["a/5"], ["6"], {}),
        (["a/5"], ["05"], {}),
        (["op1-p-015t000"], ["img-op1-p-015t000"], None),
    ],
    ids=[
        "flat",
        "folders",
        "deep",
        "joined",
        "raw",
        "sides",
        "selection",
        "others",
        "none",
        "digits",
        "make3d",
    ],
)
def test_matches(wanted: list[str], given: list[str], expected: dict[str, str] | None) -> None:
    assert matches(wanted, given) == (expected if expected is not None else {wanted[0]: given[0]})


def test_one_file_for_two_images_is_neither() -> None:
    assert matches(["a/5", "b/5"], ["5"]) == {}


def test_two_that_fit_equally_are_named() -> None:
    with pytest.raises(KinedepthError, match="a/5 could be x/5 or y/5"):
        matches(["a/5"], ["x/5", "y/5"])


def test_known_folders_say_nothing() -> None:
    assert parts("drive/proj_depth/groundtruth/image_03/5") == ("drive", "r", "5")
    assert parts("out/depth_png16/5") == ("out", "5")


@pytest.mark.parametrize(("split", "count"), [("eigen/test", 697), ("eigen_benchmark/test", 652)])
def test_published_lists(split: str, count: int) -> None:
    names = read_names(split)
    assert len(names) == len(set(names)) == count
    assert parts(names[0])[-2] in ("l", "r")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a/b.png\n# no\n\n c.npy \n", ["a/b", "c"]),
        (f"{RAW} 69 l\n{RAW} 0000000054 r\n", [f"{RAW}/l/0000000069", f"{RAW}/r/0000000054"]),
        ("v1.2/frame.0005\n", ["v1.2/frame.0005"]),
    ],
    ids=["names", "split", "dots"],
)
def test_lists_of_the_user(tmp_path: Path, text: str, expected: list[str]) -> None:
    path = tmp_path / "names.txt"
    path.write_text(text)
    assert read_names(path) == expected


@pytest.mark.parametrize(("text", "message"), [("\n", "names no image"), ("a.png\na.npy\n", "names a twice")])
def test_bad_lists(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "names.txt"
    path.write_text(text)
    with pytest.raises(KinedepthError, match=message):
        read_names(path)
