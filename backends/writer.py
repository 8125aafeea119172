"""The one place that writes an output folder: aside first, then renamed, so that nothing is ever half-written."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from ..ir.diagnostics import Diagnostic, InputError
from . import OutputFile

MARKER = ".dovetail"
"""A folder that holds this file is ours, and is replaced whole."""

RUFF = "ruff.toml"
"""Folders of programs are called `jax` and `triton`; without this file ruff takes them for those packages."""
_RUFF_TEXT = "src = []  # no folder here is a package that is imported from elsewhere\n"
_MARKER_TEXT = "Dovetail wrote this folder and replaces it whole on the next write; keep nothing of your own here.\n"


def write_folder(files: Iterable[OutputFile], out_dir: str | Path, force: bool = False) -> Path:
    """
    Write `files` as the whole content of `out_dir` and return its absolute path.

    The folder appears complete or not at all, also on an error or Ctrl-C, and an earlier folder of ours is then
    as it was. Raises `InputError` for a folder that is not ours (unless `force`), for the folder that this process
    stands in, for paths that leave the folder or collide, and where the system refuses to write.
    """
    contents = _checked(files)
    if not str(out_dir):
        raise _refusal("the output folder has no name", "name one, such as `-o out`")
    try:
        target = Path(out_dir).resolve()
        _refuse_foreign(target, force)
        target.parent.mkdir(parents=True, exist_ok=True)
        with _folder_beside(target) as aside:
            _fill(aside, contents)
            _swap(aside, target)
    except OSError as error:
        raise _refusal(f"cannot write `{out_dir}`: {error.strerror or error}") from None
    except RuntimeError:
        raise _refusal(f"cannot write `{out_dir}`: it is a link that leads to itself") from None
    return target


def _checked(files: Iterable[OutputFile]) -> dict[PurePosixPath, bytes]:
    contents: dict[PurePosixPath, bytes] = {}
    for file in files:
        path = PurePosixPath(file.path)
        if path.is_absolute() or not path.parts or ".." in path.parts or "\\" in file.path or "\0" in file.path:
            raise _refusal(f"output path `{file.path}` leaves the output folder")
        if path in contents or path == PurePosixPath(MARKER):
            raise _refusal(f"output path `{file.path}` is written twice")
        contents[path] = file.content.encode() if isinstance(file.content, str) else file.content
    for path in contents:
        for parent in path.parents:
            if parent in contents or parent == PurePosixPath(MARKER):
                raise _refusal(f"output path `{parent}` is both a file and the folder of `{path}`")
    return contents


def _refuse_foreign(target: Path, force: bool) -> None:
    here, home = Path.cwd(), Path.home()
    if target in (here, *here.parents, home, *home.parents):
        raise _refusal(
            f"`{target}` holds the folder that this command runs in, or your home",
            "name a new folder inside it, such as `-o out`",
        )
    if target.exists() and not target.is_dir():
        raise _refusal(f"`{target}` is a file, not a folder")
    if target.is_dir() and not force and not (target / MARKER).is_file() and any(target.iterdir()):
        raise _refusal(
            f"`{target}` was not written by Dovetail",
            "name another folder, or replace all that is in it with `--force`",
        )


@contextmanager
def _folder_beside(target: Path) -> Iterator[Path]:
    """A fresh folder on the same file system as `target`; whatever is left there at the end is removed."""
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _fill(aside: Path, contents: dict[PurePosixPath, bytes]) -> None:
    new = aside / "new"
    new.mkdir()
    (new / MARKER).write_text(_MARKER_TEXT, encoding="utf-8")
    if any(path.suffix == ".py" for path in contents):
        (new / RUFF).write_text(_RUFF_TEXT, encoding="utf-8")
    for path, content in contents.items():
        place = new.joinpath(*path.parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def _swap(aside: Path, target: Path) -> None:
    """Put `aside/new` in the place of `target`; what stood there goes to `aside/old`, or back on failure."""
    old = aside / "old"
    try:
        if target.exists():
            os.rename(target, old)
        os.rename(aside / "new", target)
    except BaseException:
        # By what is on disk, not by which line was reached: Ctrl-C may fall between a rename and the next line.
        if old.exists() and not target.exists():
            with suppress(OSError):
                os.rename(old, target)
        raise


def _refusal(message: str, help: str | None = None) -> InputError:
    return InputError([Diagnostic("output", message, help=help)])
