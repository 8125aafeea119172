"""The time that a search may take, asked for in the loops that may run long."""

from __future__ import annotations

import time
from threading import Event


class TimeUp(Exception):
    """A computation was given up since its time is over; what it computed so far is of no use."""


class Clock:
    """Time since the start, and what is left of the limit: nothing once the user asked to stop."""

    def __init__(self, limit_s: float | None) -> None:
        self.start = time.perf_counter()
        self.limit_s = limit_s
        self._stop = Event()

    @property
    def spent(self) -> float:
        return time.perf_counter() - self.start

    @property
    def left(self) -> float | None:
        """Seconds left, at least 0; None without a limit."""
        if self.stopped:
            return 0.0
        return None if self.limit_s is None else max(0.0, self.limit_s - self.spent)

    @property
    def over(self) -> bool:
        return self.left is not None and self.left <= 0

    def at_most(self, seconds: float) -> Clock:
        """A clock that stops after `seconds`, or with this one; who stops it stops both."""
        clock = Clock(seconds if self.left is None else min(seconds, self.left))
        clock._stop = self._stop
        return clock

    @property
    def stopped(self) -> bool:
        """Whether the user asked to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """No time is left from now on."""
        self._stop.set()

    def check(self) -> None:
        """Raises TimeUp where the time is over."""
        if self.over:
            raise TimeUp


NO_LIMIT = Clock(None)
