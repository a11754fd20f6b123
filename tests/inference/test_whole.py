"""What is written is whole or absent."""

import errno
from pathlib import Path

import pytest

from kinedepth.errors import KinedepthError
from kinedepth.inference.whole import check_output, whole_file, whole_folder


def test_file_stands_at_the_end_and_no_draft_is_left(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a.txt") as draft:
        draft.write_text("new")
        assert not (tmp_path / "a.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    "failure", [ValueError("bug"), KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")]
)
def test_failure_leaves_the_old_file_and_no_draft(tmp_path: Path, failure: BaseException) -> None:
    (tmp_path / "a.txt").write_text("old")
    expected = KinedepthError if isinstance(failure, OSError) else type(failure)

    def fail() -> None:
        with whole_file(tmp_path / "a.txt") as draft:
            draft.write_text("half")
            raise failure

    with pytest.raises(expected):
        fail()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_missing_folder_is_one_sentence_with_the_file(tmp_path: Path) -> None:
    with (
        pytest.raises(KinedepthError, match=r"nowhere/a.txt could not be written"),
        whole_file(tmp_path / "nowhere" / "a.txt") as draft,
    ):
        draft.write_text("x")


def test_folder_stands_at_the_end(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "deep" / "out") as draft:
        (draft / "a").write_text("x")
    assert (tmp_path / "deep" / "out" / "a").read_text() == "x"
    assert len(list((tmp_path / "deep").iterdir())) == 1


def test_folder_is_absent_after_a_failure(tmp_path: Path) -> None:
    def fail() -> None:
        with whole_folder(tmp_path / "out") as draft:
            (draft / "a").write_text("x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not list(tmp_path.iterdir())


def test_older_result_is_replaced_when_asked(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with whole_folder(out) as draft:
        (draft / "mark").write_text("1")
        (draft / "stale").write_text("1")
    with whole_folder(out, overwrite=True, mark="mark") as draft:
        (draft / "mark").write_text("2")
        assert (out / "stale").exists()
    assert [path.name for path in out.iterdir()] == ["mark"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(("overwrite", "why"), [(False, "not empty"), (True, "holds no mark")])
def test_a_folder_of_somebody_else_is_never_replaced(tmp_path: Path, overwrite: bool, why: str) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(KinedepthError, match=why):
        check_output(tmp_path, overwrite=overwrite, mark="mark")


@pytest.mark.parametrize("output", [".", "frames", "frames/out", "frames/a/b"])
def test_output_is_apart_from_the_input(tmp_path: Path, output: str) -> None:
    (tmp_path / "frames").mkdir()
    with pytest.raises(KinedepthError, match="input"):
        check_output(tmp_path / output, overwrite=True, source=tmp_path / "frames")


def test_output_beside_a_video_may_not_hold_it(tmp_path: Path) -> None:
    (tmp_path / "drive.mp4").write_text("x")
    check_output(tmp_path / "out", source=tmp_path / "drive.mp4")
    with pytest.raises(KinedepthError, match="holds the input"):
        check_output(tmp_path, overwrite=True, source=tmp_path / "drive.mp4")


def test_a_file_is_no_output_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(KinedepthError, match="is a file"):
        check_output(tmp_path / "out")


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with whole_folder(tmp_path / "out") as draft:
        (draft / "a").write_text("x")
    assert (tmp_path / "out" / "a").exists()


def test_the_current_folder_can_be_the_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with whole_folder(Path(".")) as draft:
        (draft / "a").write_text("x")
    assert (tmp_path / "here" / "a").exists()
    assert len(list(tmp_path.iterdir())) == 1
