"""What a person at a terminal sees beside the results: progress, and colour in messages."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

LINE_EVERY_S = 10.0
"""Where nobody watches (a log), what is known is told so often: nothing of what is done sooner."""


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Tells how far a command is: a line that changes at a terminal, or else a line every ten seconds."""
    if sys.stderr.isatty():
        yield show_progress
        return
    began, done, known = time.monotonic(), Event(), ["reading the graph"]

    def tell(message: str) -> None:
        known[0] = message

    def lines() -> None:
        while not done.wait(LINE_EVERY_S):
            print(f"{time.monotonic() - began:.0f} s: {known[0]}", file=sys.stderr, flush=True)

    thread = Thread(target=lines, daemon=True)
    thread.start()
    try:
        yield tell
    finally:
        done.set()
        thread.join()


def ended(status: int) -> int:
    """`status`, which no interrupt changes any more.

    The process ends with it here and now where a solver that was told to stop has not done so yet.
    """
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    engine = sys.modules.get("dovetail.planner.placement.search.engine")
    if engine is not None and engine.is_solving():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


def show_progress(message: str) -> None:
    """One line on stderr, which takes the place of the one before."""
    print(f"\r\033[K{message}", end="", file=sys.stderr, flush=True)


def coloured(text: str) -> str:
    """Bold red for errors and yellow for warnings, where a person is watching and wants colour."""
    if "NO_COLOR" in os.environ or not sys.stderr.isatty():
        return text
    return text.replace("error[", "\033[1;31merror\033[0m[").replace("warning[", "\033[1;33mwarning\033[0m[")
