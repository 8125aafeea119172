"""Which of the classes that `split` allows a plan tells apart: all, some, or none.

The boundaries of a node are its thresholds, or those between its n parts, numbered from 0. A plan keeps some; a node
that keeps none is not split. Parts are kept all or none: any k of them may share a pool.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xdsl.ir import Operation

Kept = Mapping[str, tuple[int, ...]]
"""Node -> the boundaries that are kept; nodes without `split` are absent."""
MOST_CHOICES = 8
"""Choices for all nodes together at most: each is a problem of its own."""
ROUNDING = 1e-8
"""Plans state thresholds to nine digits."""


def boundaries(op: Operation) -> tuple[float, ...]:
    """Thresholds [tokens], or the number of the part that each boundary follows; empty for what is not split."""
    from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, FloatAttr, IntegerAttr

    split = op.attributes.get("split")
    if not isinstance(split, DictionaryAttr):
        return ()
    parts, thresholds = split.data.get("parts"), split.data.get("prompt_tokens")
    if isinstance(parts, IntegerAttr):
        return tuple(float(k) for k in range(1, parts.value.data))
    assert isinstance(thresholds, ArrayAttr)
    return tuple(t.value.data for t in thresholds if isinstance(t, FloatAttr))


def keep(op: Operation, kept: Collection[int]) -> None:
    """Leave out the other boundaries of `op`, in place."""
    from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, FloatAttr, f64

    found = boundaries(op)
    if len(kept) == len(found):
        return
    if not kept:
        del op.attributes["split"]
        return
    op.attributes["split"] = DictionaryAttr({"prompt_tokens": ArrayAttr([FloatAttr(found[k], f64) for k in kept])})


def stated(op: Operation) -> dict[str, Any] | None:
    """How plan.json says what is kept of a node: as graph.yaml does, or None."""
    found = boundaries(op)
    if not found:
        return None
    return {"parts": len(found) + 1} if _is_in_parts(op) else {"prompt_tokens": list(found)}


def kept_of(op: Operation, said: Mapping[str, Any] | None) -> tuple[int, ...]:
    """The boundaries of `op` that plan.json says are kept; ValueError where `op` does not allow that."""
    found = boundaries(op)
    if said is None:
        return ()
    if _is_in_parts(op):
        if said != {"parts": len(found) + 1}:
            raise ValueError("another number of parts")
        return tuple(range(len(found)))
    asked = said.get("prompt_tokens", [])
    kept = tuple(k for k, t in enumerate(found) if any(abs(t - each) <= ROUNDING * t for each in asked))
    if not kept or len(kept) != len(asked) or said.keys() != {"prompt_tokens"}:
        raise ValueError("other thresholds")
    return kept


def choices(ops: Mapping[str, Operation]) -> list[dict[str, tuple[int, ...]]]:
    """What a plan may keep of the nodes that are split, the fewest classes first; one choice where none is.

    Each node any of its thresholds; where that is more than MOST_CHOICES for all nodes together, each all, one or none
    of them; or each all or none; or all nodes all or none.
    """
    split = {node: op for node, op in ops.items() if boundaries(op)}
    every: list[dict[str, tuple[int, ...]]] = [{node: tuple(range(len(boundaries(op)))) for node, op in split.items()}]
    for own in (_subsets, _singles, _whole):
        found = [dict(zip(split, each, strict=True)) for each in product(*(own(op) for op in split.values()))]
        if len(found) <= MOST_CHOICES:
            break
    else:
        found = [dict.fromkeys(split, ()), *every]
    return sorted(found, key=lambda choice: sum(map(len, choice.values())))


def _subsets(op: Operation) -> list[tuple[int, ...]]:
    every = _whole(op)[-1]
    return _whole(op) if _is_in_parts(op) else [s for n in range(len(every) + 1) for s in combinations(every, n)]


def _singles(op: Operation) -> Sequence[tuple[int, ...]]:
    whole = _whole(op)
    singles: Iterable[tuple[int, ...]] = () if _is_in_parts(op) else ((k,) for k in whole[-1])
    return list(dict.fromkeys([whole[0], *singles, whole[-1]]))


def _whole(op: Operation) -> list[tuple[int, ...]]:
    return [(), tuple(range(len(boundaries(op))))]


def _is_in_parts(op: Operation) -> bool:
    from xdsl.dialects.builtin import DictionaryAttr

    split = op.attributes.get("split")
    return isinstance(split, DictionaryAttr) and "parts" in split.data
