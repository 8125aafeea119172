"""Clocks for tests of autotuning; the measuring process imports them."""

import itertools
import time

LATER = itertools.count(100, -1)


def by_processor(run) -> float:
    """Milliseconds of processor time that a call takes, in the interpreter."""
    began = time.process_time()
    run()
    return 1e3 * (time.process_time() - began)


def later_is_faster(run) -> float:
    """Every call takes less than the one before it, so that of each launch the last tile is the fastest."""
    run()
    return float(next(LATER))


def none(run) -> float:
    """As if the driver refused every tile."""
    raise RuntimeError("out of shared memory")
