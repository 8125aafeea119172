"""The low-rank adapter that a call has on its model's weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, IntegerAttr, StringAttr
from xdsl.ir import Operation


@dataclass(frozen=True)
class AdapterSpec:
    """An adapter as the user describes it."""

    name: str
    rank: int
    targets: tuple[str, ...]
    """names of projections; empty: all that the model has"""


def adapter_of(op: Operation) -> AdapterSpec | None:
    """The adapter of the call or phase `op`."""
    asked = op.attributes.get("adapter")
    if not isinstance(asked, DictionaryAttr):
        return None
    name, rank, targets = (asked.data.get(key) for key in ("name", "rank", "targets"))
    assert isinstance(name, StringAttr)
    assert isinstance(rank, IntegerAttr)
    names = targets.data if isinstance(targets, ArrayAttr) else ()
    return AdapterSpec(name.data, rank.value.data, tuple(t.data for t in names if isinstance(t, StringAttr)))


def served_name(op: Operation, model: str) -> str:
    """What a hosted API calls that which answers `op`: its adapter, or else the model."""
    adapter = adapter_of(op)
    return model if adapter is None else adapter.name


def adapters_of_model(ops: Iterable[Operation], model: str) -> int:
    """How many different adapters the calls `ops` have on a model."""
    named = ((op, op.attributes.get("model")) for op in ops)
    own = (op for op, name in named if isinstance(name, StringAttr) and name.data == model)
    return len({adapter.name for op in own if (adapter := adapter_of(op)) is not None})
