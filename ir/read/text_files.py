"""Text of files that users give: there, small enough, UTF-8; or an error that says which it is not."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..diagnostics import Diagnostic, InputError
from ..units import shorten

LARGEST_FILE_BYTES = 10_000_000


def read_text(path: Path, name: str, language: str) -> tuple[str, str]:
    """The text of the file at `path`, called `name` in messages, with `\\n` ending lines; and the hash of its bytes.

    InputError where it cannot be read, or cannot be of the `language`.
    """
    raw = _bytes_of(path, name)
    return _text_of(raw, name, language), hashlib.sha256(raw).hexdigest()


def _bytes_of(path: Path, name: str) -> bytes:
    try:
        if not path.exists():
            raise _error("no-file", f"there is no file `{name}`")
        if not path.is_file():
            raise _error("no-file", f"`{name}` is not a file")
        size = path.stat().st_size
        if size > LARGEST_FILE_BYTES:
            limit = LARGEST_FILE_BYTES / 1e6
            raise _error("too-large", f"`{name}` has {size / 1e6:.1f} MB; the limit is {limit:.0f} MB")
        return path.read_bytes()
    except (OSError, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) and fault.strerror else "not a valid path"
        raise _error("no-file", f"`{shorten(name, 200)}` cannot be read: {reason}") from None


def _text_of(raw: bytes, name: str, language: str) -> str:
    if b"\0" in raw:
        raise _error("not-text", f"`{name}` is a binary file, not {language}")
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as fault:
        line = raw[: fault.start].count(b"\n") + 1
        message = f"`{name}` is not UTF-8: line {line} holds the byte 0x{raw[fault.start]:02x}"
        raise _error("not-text", message) from None


def _error(id: str, message: str) -> InputError:
    return InputError([Diagnostic(id, message)])
