"""Files that a document names: whether they are there."""

from __future__ import annotations

from pathlib import Path

from ..source import Path as DocumentPath
from ..units import shorten
from .fields import Reading

RELATIVE = "a path is relative to the file that names it"


def check_file(path: DocumentPath, name: str, to: Reading) -> None:
    """The file `name` is there, and no folder; not asked where the document is in no folder."""
    if to.base is None or is_there(to.base / name):
        return
    shown = shorten(str(to.base / name), 200)
    if is_folder(to.base / name):
        to.fault(path, "no-file", f"`{shown}` is a folder, not a file")
    else:
        to.fault(path, "no-file", f"there is no file `{shown}`", RELATIVE)


def is_there(file: Path) -> bool:
    """Whether `file` is one; no where nothing can have that name."""
    try:
        return file.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether `path` is one; no where nothing can have that name."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
