"""Which ops of a network repeat: layers that are alike are decided once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from xdsl.ir import Operation

CANDIDATES = 32
"""periods tried: the most frequent distances between neighbours that are alike"""


def repeated(tokens: Sequence[int]) -> list[int]:
    """
    A class for each place: places of one class stand at the same offset of repeats of one stretch.

    The stretch that spares most places comes first, then what is left of it and right of it. Equal classes have equal
    tokens; places that repeat nothing have a class of their own. `[5, 1, 2, 1, 2, 1, 2]` gives `[0, 1, 2, 1, 2, 1, 2]`.
    """
    classes = list(range(len(tokens)))
    array = np.asarray(tokens, dtype=np.int64)
    open_ranges = [(0, len(tokens))]
    while open_ranges:
        low, high = open_ranges.pop()
        found = _best(array[low:high])
        if found is None:
            continue
        start, period, count = found
        start += low
        for place in range(start + period, start + period * count):
            classes[place] = classes[place - period]
        open_ranges += [(low, start), (start + period * count, high)]
    dense: dict[int, int] = {}
    return [dense.setdefault(c, len(dense)) for c in classes]


def _best(tokens: np.ndarray) -> tuple[int, int, int] | None:
    """(start, period, how often) of the repeats that spare most places; None where nothing repeats."""
    last: dict[int, int] = {}
    distances: Counter[int] = Counter()
    for place, token in enumerate(tokens.tolist()):
        if token in last:
            distances[place - last[token]] += 1
        last[token] = place
    best, spared = None, 0
    for period, _ in sorted(distances.most_common(CANDIDATES)):
        start, length = _longest_run(tokens[period:] == tokens[:-period])
        if length // period * period > spared:
            best, spared = (start, period, length // period + 1), length // period * period
    return best


def _longest_run(holds: np.ndarray) -> tuple[int, int]:
    """(start, length) of the first longest stretch of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], holds.astype(np.int8), [0]))))
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return 0, 0
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest] - starts[longest])


def tokens_of(ops: Sequence[Operation]) -> list[int]:
    """Equal numbers for ops that do the same on tensors of the same types; ops with regions are like no other."""
    known: dict[object, int] = {}
    tokens: list[int] = []
    for op in ops:
        types = (tuple(o.type for o in op.operands), tuple(r.type for r in op.results))
        attributes = tuple(sorted(op.attributes.items(), key=lambda item: item[0]))
        key = op if op.regions else (type(op), attributes, types)
        tokens.append(known.setdefault(key, len(known)))
    return tokens
