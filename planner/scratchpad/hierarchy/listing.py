"""List scheduling: each task as early as what it waits for and the channels allow, the most urgent first."""

from __future__ import annotations

from bisect import bisect_right

from .tasks import Tasks, in_order


def list_schedule(tasks: Tasks) -> list[int]:
    """The start of each task [ticks].

    A fill is as urgent as the step that needs it, a copy out as the next fill of its place; a transfer may slip into a
    pause before one that was set earlier, and that is how reloads run ahead."""
    channels = [Channels(count) for count in tasks.channels]
    starts, ends = [0] * len(tasks.ticks), [0] * len(tasks.ticks)
    for task in in_order(tasks, _urgency(tasks)):
        length = tasks.ticks[task]
        start = max((ends[p] for p in tasks.before[task]), default=0)
        crossed = [channels[b] for b in tasks.borders[task]] if length else []
        while True:
            latest = max((border.earliest(start, length) for border in crossed), default=start)
            if latest == start:
                break
            start = latest
        for border in crossed:
            border.take(start, start + length)
        starts[task], ends[task] = start, start + length
    return starts


def _urgency(tasks: Tasks) -> list[float]:
    """The first step that waits for each task, directly or not; what nobody waits for comes last."""
    key = [float(step) for step in range(tasks.steps)] + [float("inf")] * len(tasks.traffic.transfers)
    for task in reversed(in_order(tasks)):
        for each in tasks.before[task]:
            key[each] = min(key[each], key[task])
    return key


class Channels:
    """How many channels of a border are taken, over time."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.times, self.taken = [0], [0]
        """from each time on, as many as `taken`"""

    def earliest(self, start: int, length: int) -> int:
        """The first moment from `start` on at which a channel is free for `length`."""
        at = bisect_right(self.times, start) - 1
        while at < len(self.times) and self.times[at] < start + length:
            if self.taken[at] >= self.count:
                start = self.times[at + 1]
            at += 1
        return start

    def take(self, start: int, end: int) -> None:
        """Take one channel from `start` to `end`."""
        first, last = self._cut(start), self._cut(end)
        for at in range(first, last):
            self.taken[at] += 1

    def _cut(self, time: int) -> int:
        at = bisect_right(self.times, time) - 1
        if self.times[at] == time:
            return at
        self.times.insert(at + 1, time)
        self.taken.insert(at + 1, self.taken[at])
        return at + 1
