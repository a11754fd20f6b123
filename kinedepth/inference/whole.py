"""Files and folders that are whole or absent: written under another name, renamed at the end."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kinedepth.errors import KinedepthError


def _draft_of(path: Path) -> Path:
    """A hidden neighbour of `path` with the same ending, for writers that go by the ending."""
    return path.with_name(f".partial-{os.getpid()}-{path.name}")


def _said(path: Path, error: OSError) -> KinedepthError:
    why = error.strerror or str(error)
    return KinedepthError(
        f"{path} could not be written ({why}), nothing is left of it: make room or name another place."
    )


def _to_disk(path: Path) -> None:
    """Waits until the bytes of `path` are on the disk: a rename must not overtake them."""
    with path.open("rb") as written:
        os.fsync(written.fileno())


@contextmanager
def whole_file(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Gives the path of a draft that becomes `path` when the block ends well, and disappears otherwise.

    `sync` waits for the disk before the rename; without it a power cut can leave an empty file. Raises
    KinedepthError that names the file when the system refuses (full disk, no permission, no such folder).
    """
    draft = _draft_of(path)
    try:
        yield draft
        if sync:
            _to_disk(draft)
        os.replace(draft, path)
    except OSError as error:
        raise _said(path, error) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def check_output(
    folder: Path, *, overwrite: bool = False, source: Path | None = None, mark: str = ""
) -> None:
    """Raises KinedepthError unless `folder` may be written: absent, empty, or ours and meant to be replaced.

    `mark` is the file by which a folder of ours is known; a folder without it is never replaced, whatever
    `overwrite` says. `source` is the user's input: the folder must neither hold it nor lie within it.
    """
    if source is not None:
        _check_apart(folder, source)
    if folder.exists() and not folder.is_dir():
        raise KinedepthError(f"{folder} is a file: name a folder for the output.")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not overwrite:
        raise KinedepthError(f"{folder} exists and is not empty: name another folder, or give --overwrite.")
    if not (mark and (folder / mark).is_file()):
        raise KinedepthError(
            f"{folder} holds no {mark or 'result of ours'}, so it is not overwritten: name another folder."
        )


def _check_apart(folder: Path, source: Path) -> None:
    output, given = folder.resolve(), source.resolve()
    if given == output or given.is_relative_to(output):
        raise KinedepthError(f"{folder} holds the input {source}: name another folder for the output.")
    if given.is_dir() and output.is_relative_to(given):
        raise KinedepthError(f"{folder} lies within the input {source}: name a folder outside of it.")


@contextmanager
def whole_folder(
    folder: Path, *, overwrite: bool = False, source: Path | None = None, mark: str = ""
) -> Iterator[Path]:
    """Gives an empty draft folder that becomes `folder` when the block ends well, and disappears otherwise.

    An older result is replaced only under the conditions of `check_output`, and only when the new one is
    whole.
    """
    place = folder.resolve()
    draft = _draft_of(place)
    try:
        check_output(folder, overwrite=overwrite, source=source, mark=mark)
        draft.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        yield draft
        for path in draft.rglob("*"):
            if path.is_file():
                _to_disk(path)
        _exchange(draft, place)
    except OSError as error:
        raise _said(folder, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _exchange(draft: Path, folder: Path) -> None:
    """Puts the draft in the folder's place; the older one goes only after the newer one stands."""
    if not folder.exists():
        os.replace(draft, folder)
        return
    older = folder.with_name(f".older-{os.getpid()}-{folder.name}")
    os.replace(folder, older)
    try:
        os.replace(draft, folder)
    except OSError:
        os.replace(older, folder)
        raise
    shutil.rmtree(older, ignore_errors=True)
