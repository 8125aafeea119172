"""
Functions compiled by numba, kept between runs under a name that all their sources decide.

numba itself looks at the file of the function alone: a caller that was compiled before one of its callees changed would
be loaded with the callee's old layout of memory, and crash.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba
from numba import config

HERE = Path(__file__).parent
SETTING = "CACHE_DIR"


def compiled(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """As `numba.njit(cache=True, **options)`, used as a decorator with or without options."""
    if function is None:
        return lambda each: compiled(each, **options)
    # The setting is read when a function is decorated; a folder that is not writable is passed over.
    before: str = getattr(config, SETTING)
    setattr(config, SETTING, str(_folder(before)))
    try:
        return numba.njit(cache=True, **options)(function)
    finally:
        setattr(config, SETTING, before)


@cache
def _folder(asked_for: str) -> Path:
    """Below the user's folder for caches, or the one that NUMBA_CACHE_DIR asks for."""
    base = asked_for or os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "dovetail" / f"compiled-{_digest()}"


def _digest() -> str:
    """What all sources of compiled functions say, and numba's version."""
    found = sha256(numba.__version__.encode())
    for path in sorted(HERE.rglob("*.py")):
        if b"compiled" in (text := path.read_bytes()):
            found.update(text)
    return found.hexdigest()[:16]
