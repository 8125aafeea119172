"""Which keys a mask leaves: causal and sliding-window masks, as constants or worked out from positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.ir import Operation, SSAValue

from ...ir import nn
from ...ir.interpret import evaluate
from .draft import Draft
from .match import array_of, constant

MINUS_INFINITY = -1e9
"""a score at or below counts as minus infinity: exp of it is 0 beside any score that is not as low"""
LOWEST_HALF = -65504.0
"""the lowest half, which exporters use for minus infinity in networks of halves"""
LARGEST = 2**24
"""elements of a mask that is worked out to see what it is"""
DEEPEST = 24
"""ops from which a mask is worked out"""


@dataclass(frozen=True)
class Visible:
    """The keys that each query sees, as attributes of `nn.attention` say it."""

    causal: bool
    window: int


def is_minus_infinity(value: float | None, like: SSAValue) -> bool:
    """Whether `value` hides a score of the element type of `like`."""
    if value is None:
        return False
    halves = str(nn.tensor_type(like).element_type) == "f16"
    return value <= MINUS_INFINITY or (halves and value <= LOWEST_HALF)


def visible_in_sum(mask: SSAValue, queries: int, keys: int, draft: Draft) -> Visible | None:
    """What an additive mask, known before the run, leaves; None unless that is causal, a window or both."""
    array = worked_out(mask, draft)
    if array is None:
        return None
    hidden = np.isneginf(array) | (array <= (LOWEST_HALF if _is_half(mask) else MINUS_INFINITY))
    if not np.all(hidden | (array == 0.0)):
        return None
    return recognise(~hidden, queries, keys)


def visible_in_choice(condition: SSAValue, shown: bool, queries: int, keys: int, draft: Draft) -> Visible | None:
    """What a condition, known before the run, leaves: where it is `shown`."""
    array = worked_out(condition, draft)
    return None if array is None else recognise((array != 0) == shown, queries, keys)


def recognise(seen: np.ndarray, queries: int, keys: int) -> Visible | None:
    """
    Which attributes say `seen` (..., queries, keys), the same for all heads.

    Query i sees keys up to i + n - m if causal, and with a window w those above i + n - m - w alone. A mask that hides
    nothing is neither.
    """
    try:
        table = np.broadcast_to(seen, (*seen.shape[:-2], queries, keys))
    except ValueError:
        return None
    if keys < queries or not table.size:
        return None
    tables = table.reshape(-1, queries, keys)
    table = tables[0]
    if not np.array_equal(tables, np.broadcast_to(table, tables.shape)):
        return None
    place = np.arange(queries)[:, None] + keys - queries - np.arange(keys)[None, :]  # query less key
    if table.all():
        return Visible(False, 0)
    causal = not table[place < 0].any()
    near = table & (place >= 0)
    window = int(place[near].max()) + 1 if near.any() else 0
    for width in (0, window):
        expected = (place >= 0) if causal else np.ones_like(table)
        if width:
            expected = expected & (place < width)
        if np.array_equal(table, expected) and (causal or width):
            return Visible(causal, width)
    return None


def worked_out(value: SSAValue, draft: Draft) -> np.ndarray | None:
    """The elements of `value` in float64, where it follows from weights, constants and positions in few ops."""
    direct = array_of(value, draft)
    if direct is not None:
        return np.asarray(direct, dtype=np.float64)
    ops = _behind(value)
    if ops is None:
        return None
    values: dict[SSAValue, np.ndarray] = {}
    for op in ops:
        if isinstance(op, nn.WeightOp):
            if op.weight.data not in draft.weights:
                return None
            results: tuple[np.ndarray, ...] = (np.asarray(draft.weights[op.weight.data], dtype=np.float64),)
        else:
            results = evaluate(op, [values[o] for o in op.operands], {})
        values.update(zip(op.results, results, strict=True))
    return values[value]


def _behind(value: SSAValue) -> list[Operation] | None:
    """The ops that `value` follows from, in order; None where an input is among them, or too much."""
    found: dict[Operation, None] = {}
    waiting = [value]
    while waiting:
        op = waiting.pop().owner
        if not isinstance(op, nn.TensorOp) or isinstance(op, nn.CollectiveOp) or len(found) > DEEPEST:
            return None
        sizes = [n for result in op.results for n in nn.shape_of(result)]
        if any(isinstance(n, nn.Size) for n in sizes) or np.prod([*sizes, 1]) > LARGEST:
            return None
        found.pop(op, None)  # what a later op needs comes before it
        found[op] = None
        waiting += op.operands
    return list(reversed(found))


def _is_half(value: SSAValue) -> bool:
    return str(nn.tensor_type(value).element_type) == "f16"


def constant_is_minus_infinity(value: SSAValue) -> bool:
    """Whether every element of `value` is a number that hides a score."""
    return is_minus_infinity(constant(value), value)
