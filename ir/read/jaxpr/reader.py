"""The walk over a traced program: what each variable is, and the ops that have been made of it so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from xdsl.dialects.builtin import FileLineColLoc, IntAttr, LocationAttr, StringAttr, UnknownLoc
from xdsl.ir import Attribute, Block, SSAValue
from xdsl.utils.exceptions import VerifyException

from ... import nn
from ..elements import element_type

Known = np.ndarray
Value = SSAValue | Known
"""What a variable is: a value of the module, or an array that is known while reading."""
Rule = Callable[["Reader", Any, Sequence[Value]], "Value | Sequence[Value]"]
"""Reads one equation, given its operands; gives its result, or all of them."""

MOST_KNOWN = 4096
"""elements of a result that is worked out while reading; larger ones are left to the passes, which weigh their size"""


class Unreadable(Exception):
    """What an equation asks for has no counterpart; the text says what."""


@dataclass
class Reader:
    """One network in the making."""

    rules: Mapping[str, Rule]
    block: Block
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    location: LocationAttr = field(default_factory=UnknownLoc)
    unread: dict[tuple[str, str], str] = field(default_factory=dict)
    """(what, where) -> why; each is told once"""

    def call(self, jaxpr: Any, consts: Sequence[Value], operands: Sequence[Value]) -> list[Value]:
        """The results of a (sub-)program, whose equations are added to the block."""
        values: dict[Any, Value] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *operands], strict=True))
        for eqn in jaxpr.eqns:
            given = [_value_of(each, values) for each in eqn.invars]
            before, self.location = self.location, location_of(eqn) or self.location
            results = self.results_of(eqn, given)
            self.location = before
            values.update(zip(eqn.outvars, results, strict=True))
        return [_value_of(each, values) for each in jaxpr.outvars]

    def results_of(self, eqn: Any, operands: Sequence[Value]) -> Sequence[Value]:
        """The results of one equation; unknown placeholders, and a note, where it cannot be read."""
        name = eqn.primitive.name
        known = _worked_out(eqn, operands)
        if known is not None:
            return known
        try:
            rule = self.rules.get(name)
            if rule is None:
                raise Unreadable("there is no nn operator for it")
            results = rule(self, eqn, operands)
        except (Unreadable, VerifyException) as reason:
            self.unread.setdefault((name, place_of(self.location)), str(reason))
            return [self.placeholder(each.aval) for each in eqn.outvars]
        return results if isinstance(results, list | tuple) else [results]  # type: ignore[return-value]

    def add(self, op_class: type[nn.TensorOp], /, *operands: Value | None, **attributes: Any) -> SSAValue:
        """The result of a new op at the end of the block."""
        return self.add_all(op_class, *operands, **attributes)[0]

    def add_all(self, op_class: type[nn.TensorOp], /, *operands: Value | None, **attributes: Any) -> Sequence[SSAValue]:
        """The results of a new op at the end of the block."""
        op = op_class.make(*(None if o is None else self.tensor(o) for o in operands), **attributes)
        op.location = self.location
        self.block.add_op(op)
        return op.results

    def tensor(self, value: Value) -> SSAValue:
        """`value` in the module: a known one as a fill where it is the same everywhere, else as a weight."""
        if isinstance(value, SSAValue):
            return value
        type = nn.tensor(element_of(value.dtype), value.shape)
        flat = value.reshape(-1)
        if flat.size and (flat == flat[0]).all() and nn.filling(type.element_type, flat[0]) is not None:
            return self.add(nn.FillOp, type=type, value=float(flat[0]))
        name = f"constant_{len(self.weights)}"
        self.weights[name] = np.asarray(value)
        return self.add(nn.WeightOp, type=type, weight=name)

    def placeholder(self, aval: Any) -> SSAValue:
        """A value of the type of `aval`, or of numbers if nn has no such elements, for reading on after a fault."""
        element = element_type(aval.dtype) or element_of(np.float32)
        return self.add(nn.FillOp, type=nn.tensor(element, shape_in(aval.shape)), value=0.0)


def type_of(aval: Any) -> nn.Tensor:
    """The nn type of an abstract value of JAX; its open sizes keep their names."""
    return nn.tensor(element_of(aval.dtype), shape_in(aval.shape))


def shape_in(shape: Sequence[Any]) -> nn.Shape:
    """A shape of JAX, whose open sizes (`jax.export.symbolic_shape`) become ours; Unreadable for one that is no sum."""
    try:
        return tuple(int(n) if isinstance(n, int | np.integer) else nn.size_of(_spelt_out(str(n))) for n in shape)  # type: ignore[misc]
    except ValueError as error:
        raise Unreadable(f"the size {shape} is not a sum of products") from error


def _spelt_out(text: str) -> str:
    """`b^2` as `b*b`."""
    base, power, exponent = text.partition("^")
    return "*".join([base] * int(exponent)) if power and exponent.isdigit() else text


def element_of(dtype: Any) -> Attribute:
    """The element type of a numpy or JAX dtype; Unreadable where nn has none."""
    found = element_type(dtype)
    if found is None:
        raise Unreadable(f"nn has no elements of type {getattr(dtype, 'name', dtype)}")
    return found


def location_of(eqn: Any) -> LocationAttr | None:
    """The line of the user's file that an equation came from; None where it is not known."""
    traceback = eqn.source_info.traceback
    for frame in traceback.frames if traceback else ():
        if not is_of_jax(frame.file_name):
            return FileLineColLoc(StringAttr(frame.file_name), IntAttr(frame.line_num), IntAttr(1))
    return None


def is_of_jax(file: str) -> bool:
    """Whether `file` is one of JAX's own."""
    import jax

    return file.startswith(str(Path(jax.__file__).parent))


def place_of(location: LocationAttr) -> str:
    """`file:line`, or nothing."""
    if isinstance(location, FileLineColLoc):
        return f"{location.filename.data}:{location.line.data}"
    return ""


def _value_of(variable: Any, values: Mapping[Any, Value]) -> Value:
    if hasattr(variable, "val"):  # a literal
        return np.asarray(variable.val, dtype=variable.aval.dtype)
    return values[variable]


def _worked_out(eqn: Any, operands: Sequence[Value]) -> list[Value] | None:
    """The results where all operands are known and the results are small; None otherwise."""
    if not all(isinstance(o, np.ndarray) for o in operands):
        return None
    if any(not all(isinstance(n, int) for n in v.aval.shape) or v.aval.size > MOST_KNOWN for v in eqn.outvars):
        return None
    if any(key in eqn.params for key in ("jaxpr", "call_jaxpr", "branches", "cond_jaxpr")):
        return None  # read inside, so that what is large in there stays unknown
    if any(element_type(v.aval.dtype) is None for v in eqn.outvars):
        return None
    results = eqn.primitive.bind(*operands, **eqn.params)
    return [np.asarray(each) for each in (results if eqn.primitive.multiple_results else [results])]
