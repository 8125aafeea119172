"""Python's cyclic garbage collector, off while a module grows."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """
    Reference counting alone, in the body or in the function that this decorates.

    Ops, blocks and uses refer to each other, so none of them is garbage before its module is; the collector would walk
    all of them again each time that their number has grown by a quarter.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
