"""Ctrl-C and SIGTERM as an exception, raised where it is neither lost nor the end of the process."""

from __future__ import annotations

import _thread
import signal
import threading
import time
from types import FrameType

AGAIN_S = 0.05
"""how soon an interrupt that had to wait is tried again"""
LONGEST_S = 10.0
"""how long it waits at most: whoever runs a command while a module is imported can still end it"""


def raise_interrupts() -> None:
    """From now on both raise `KeyboardInterrupt` in the main thread, after what must not be interrupted."""
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as a shell has it for jobs in the background
        signal.signal(signal.SIGINT, _interrupt)


class _Waiting:
    """The interrupt that waits: one, however often it was asked for."""

    since: float | None = None
    again: threading.Timer | None = None
    """what tries once more"""


def _interrupt(_: int, frame: FrameType | None) -> None:
    now = time.monotonic()
    _Waiting.since = _Waiting.since or now
    if _Waiting.again is not None:
        _Waiting.again.cancel()
    if not _must_wait(frame) or now - _Waiting.since > LONGEST_S:
        _Waiting.since = None
        raise KeyboardInterrupt
    _Waiting.again = threading.Timer(AGAIN_S, _thread.interrupt_main)
    _Waiting.again.daemon = True
    _Waiting.again.start()


def _must_wait(frame: FrameType | None) -> bool:
    """
    Whether an exception here would go wrong: modules in C++ that are being imported end the process with it, and
    callbacks of the garbage collector swallow it.
    """
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith("<frozen importlib") or code.co_name.endswith("_gc_callback"):
            return True
        frame = frame.f_back
    return False
