"""What share of a device's memory a serving engine is told to take (vLLM's `--gpu-memory-utilization`).

A plan may fill all the memory that the catalogue lists, which is what programs may use (nvidia-smi's total). An engine
takes a share of that total, 0.9 or in newer versions 0.92 unless told otherwise (vllm/config/cache.py), keeps weights,
activations and caches inside it, and does not start where less is free (`request_memory`, vllm/v1/worker/utils.py; both
read 2026-11-21). So each server is told what the plan needs of it.
"""

from __future__ import annotations

import math

from .engines import Engine

ROOM = 0.01
"""of a device's memory besides what the plan counts: captured graphs, unfilled blocks (guess)"""
MOST_SHARE = 0.97
"""of a device's memory that engines can be given: contexts are made before they count (guess; 0.7 GB of an L4)"""


def needed_share(held_bytes: float, memory_bytes: float) -> float:
    """Share of the memory that an engine needs to hold `held_bytes` of one device, in whole hundredths."""
    return math.ceil(round(100 * (held_bytes / memory_bytes + ROOM), 6)) / 100


def given_share(held_bytes: float, memory_bytes: float, engine: Engine) -> float:
    """Share that the engine is given: what it needs, at least what it takes by itself, and at most `MOST_SHARE`.

    What it does not need serves as cache of prefixes; where it needs more, fewer sequences run at once than planned.
    """
    return min(max(needed_share(held_bytes, memory_bytes), engine.memory_share), MOST_SHARE)
