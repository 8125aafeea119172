"""Tiles from runs on the user's GPU, for whoever wants to check the cost functions: an option, never the default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, cast

T = TypeVar("T")


def fastest(
    launch: Callable[[T], None],
    candidates: Sequence[T],
    most: int = 16,
    time_ms: Callable[[Callable[[], None]], float] | None = None,
) -> T:
    """
    The one of the first `most` candidates, such as `ranked_tiles` gives them, whose `launch` takes least time here.

    `time_ms` measures a call; without it Triton's `do_bench` does, which needs a GPU and torch. A candidate that the
    driver refuses is passed over; RuntimeError where it refuses all.
    """
    measure = time_ms or _bench
    timed: list[tuple[float, int]] = []
    faults: list[str] = []
    for index, candidate in enumerate(candidates[:most]):
        try:
            timed.append((measure(lambda candidate=candidate: launch(candidate)), index))
        except RuntimeError as error:
            faults.append(str(error))
    if not timed:
        raise RuntimeError(f"none of {len(faults)} configurations runs: {', '.join(faults[:1])}")
    return candidates[min(timed)[1]]


def _bench(run: Callable[[], None]) -> float:
    """Milliseconds, the median of many runs on the GPU."""
    from triton.testing import do_bench

    return float(cast(float, do_bench(run, return_mode="median")))
