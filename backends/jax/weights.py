"""The weights that emitted code loads: which, and under what keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from ..dtypes import stored_dtype, weight_dtype
from ..python_text import quoted

if TYPE_CHECKING:
    from .repeats import Layer


class UsedWeights:
    """Collects the weights that the emitted lines name, and hands out the text that names them."""

    def __init__(
        self,
        values: Mapping[str, np.ndarray],
        packs: bool = True,
        called: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`values` by name; `called` has other names for some weights of the network."""
        self._values, self._packs, self._called = values, packs, called
        self.used: dict[str, np.ndarray] = {}

    def free_start(self, name: str) -> str:
        """`name`, with underscores behind it if names of weights begin so, up to a dot."""
        while any(key.startswith(f"{name}.") for key in self._values):
            name += "_"
        return name

    def within(self, layer: Layer, prefix: str | None, short_names: Sequence[str]) -> UsedWeights:
        """The weights of `layer`, as it calls them, among all that begin with `prefix` if there is one."""
        begun = () if prefix is None else (key for key in self._values if key.startswith(prefix))
        others = {key.removeprefix(prefix or ""): self._values[key] for key in begun}
        own = {short: self._value(name) for short, name in zip(short_names, layer.weights, strict=True)}
        return UsedWeights(others | own, self._packs, dict(zip(layer.weights, short_names, strict=True)))

    def _name(self, op: nn.WeightOp) -> str:
        return self._called.get(op.weight.data, op.weight.data)

    def text(self, op: nn.WeightOp) -> str:
        """`w["name"]`, cast to the element type of `op` where safetensors cannot hold it."""
        name, dtype = self._name(op), weight_dtype(op.type)
        stored = stored_dtype(dtype)
        self.used[name] = self._value(name).astype(stored, copy=False)
        return _subscript(name) if stored == dtype else f"{_subscript(name)}.astype(jnp.{dtype})"

    def turned_text(self, op: nn.WeightOp, axes: tuple[int, ...]) -> str:
        """`w["name.10"]`: the weight with its axes in the order `axes`, kept so, that nothing is turned at run time."""
        own = self._name(op)
        name = f"{own}.{''.join(map(str, axes))}"
        self.used[name] = np.ascontiguousarray(self._value(own).transpose(axes)).astype(weight_dtype(op.type))
        return _subscript(name)

    def packed_text(self, ops: list[nn.WeightOp]) -> str | None:
        """
        `*w["name"]` for vectors that only one layer uses and whose names begin alike: they are kept as one array
        with a row for each, so that the call of the layer stays one line. None where that cannot be, and where nothing
        is packed.
        """
        if not self._packs:
            return None
        names = [self._name(op) for op in ops]
        key = _common_start(names).rstrip("_./:-")
        alone = all(len(list(op.result.uses)) == 1 for op in ops)
        plain = all(stored_dtype(weight_dtype(op.type)) == weight_dtype(op.type) for op in ops)
        if not key or not alone or not plain or key in self._values or key in self.used or len(set(names)) < len(names):
            return None
        self.used[key] = np.stack([self._value(name) for name in names])
        return f"*{_subscript(key)}"

    def _value(self, name: str) -> np.ndarray:
        if name not in self._values:
            raise InputError([Diagnostic("weight", f"weight `{name}` has no values")])
        return self._values[name]


def _common_start(names: list[str]) -> str:
    first, last = min(names), max(names)
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:length]


def _subscript(name: str) -> str:
    return f"w[{quoted(name)}]"
