"""The language models that a node may call, and how good the user says their answers are."""

from __future__ import annotations

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, FloatAttr, StringAttr
from xdsl.ir import Operation


def models_of(op: Operation) -> tuple[str, ...]:
    """Names of the models that the call or phase `op` may be served by, in the user's order; one unless there are
    alternatives."""
    names = op.attributes.get("models")
    if isinstance(names, ArrayAttr):
        return tuple(name.data for name in names if isinstance(name, StringAttr))
    model = op.attributes["model"]
    assert isinstance(model, StringAttr)
    return (model.data,)


def quality_of(op: Operation, model: str) -> float | None:
    """Quality of the answers that `model` gives to `op`; None where none is stated."""
    found = op.attributes.get("qualities")
    value = found.data.get(model) if isinstance(found, DictionaryAttr) else None
    return value.value.data if isinstance(value, FloatAttr) else None
