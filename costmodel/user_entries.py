"""Records that a user's own catalogue adds to ours while a command runs, and over it: devices and models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

Entries = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class UserEntries:
    """Records by canonical id, in the form of the catalogue's files, whole: what they extend is already in them."""

    devices: Entries = field(default_factory=dict)
    models: Entries = field(default_factory=dict)


_current: ContextVar[UserEntries] = ContextVar("user_entries", default=UserEntries())  # noqa: B039 (it is frozen)


def user_entries() -> UserEntries:
    """What the user's catalogue gives now; nothing outside `using`."""
    return _current.get()


@contextmanager
def using(entries: UserEntries) -> Iterator[None]:
    """Within this, the catalogue's look-ups find `entries` before everything else."""
    token = _current.set(entries)
    try:
        yield
    finally:
        _current.reset(token)
