"""From a function and example inputs to a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from xdsl.dialects.builtin import NameLoc, NoneAttr, StringAttr
from xdsl.ir import Block
from xdsl.utils.exceptions import VerifyException

from ... import nn
from ...diagnostics import Diagnostic, InputError
from . import control, indexing, layout, products, reductions, scalars
from .reader import MOST_KNOWN, Reader, Rule, Unreadable, Value, type_of

RULES: Mapping[str, Rule] = {
    **scalars.RULES,
    **products.RULES,
    **reductions.RULES,
    **layout.RULES,
    **indexing.RULES,
    **control.RULES,
}
"""Name of a primitive -> how it is read."""


def read_jax(function: Callable[..., Any], example_inputs: Sequence[Any]) -> nn.NnModule:
    """
    The network that JAX traces `function` to for inputs like `example_inputs`: arrays or `jax.ShapeDtypeStruct`s, or
    trees of them, whose leaves become the network's inputs in order.

    Arrays that the function closes over become weights. InputError where JAX cannot trace it, and for all primitives at
    once that nn cannot say, with the lines of the user's code that they stand in.
    """
    import jax

    try:
        closed, outputs = jax.make_jaxpr(function, return_shape=True)(*example_inputs)
    except Exception as error:  # whatever the user's function, or JAX in it, raises
        message = f"JAX cannot trace `{_name_of(function)}`: {_first_line(error)}"
        raise InputError([Diagnostic("jax", message)]) from error
    try:
        block = Block(arg_types=[type_of(each.aval) for each in closed.jaxpr.invars])
    except Unreadable as reason:
        raise InputError([Diagnostic("jax", f"an input of `{_name_of(function)}`: {reason}")]) from reason
    reader = Reader(RULES, block)
    consts = [_constant(reader, index, each) for index, each in enumerate(closed.consts)]
    try:
        results = reader.call(closed.jaxpr, consts, list(block.args))
        ends = [reader.tensor(each) for each in results]
    except VerifyException as error:
        raise InputError([Diagnostic("jax", f"`{_name_of(function)}` cannot be read: {error}")]) from error
    _tell(reader, _name_of(function))
    if not ends:
        message = f"`{_name_of(function)}` returns no array, so there is nothing to compute"
        raise InputError([Diagnostic("jax", message)])
    names = _names(example_inputs)
    for argument, name in zip(block.args, names, strict=True):
        argument.name_hint = name if name.isidentifier() else None
    return nn.NnModule(nn.build_main(block, ends), reader.weights, names, _output_names(outputs))


def _constant(reader: Reader, index: int, value: Any) -> Value:
    """What the function closes over: one number, or a few integers, are known while reading; else it is a weight."""
    try:
        array = np.asarray(value)
    except TypeError as error:  # a random key
        message = f"the function closes over a value that is no array of numbers: {value.dtype}"
        raise InputError(
            [Diagnostic("jax", message, help="draw random numbers before, and close over them")]
        ) from error
    if array.ndim == 0 or (array.dtype.kind in "iub" and array.size <= MOST_KNOWN):
        return array
    name = f"weight_{index}"
    reader.weights[name] = array
    made = nn.WeightOp.make(type=type_of(array), weight=name)
    made.location = NameLoc(StringAttr(name), NoneAttr())
    reader.block.add_op(made)
    return made.result


def _tell(reader: Reader, name: str) -> None:
    """InputError for what could not be read, if anything."""
    faults: dict[tuple[str, str], list[str]] = {}
    for (primitive, place), reason in reader.unread.items():
        faults.setdefault((primitive, reason), []).append(place or "an unknown line")
    told = [
        Diagnostic("jax", f"`{primitive}` in `{name}` cannot be read: {reason}", help=f"it stands in {', '.join(at)}")
        for (primitive, reason), at in sorted(faults.items())
    ]
    if told:
        raise InputError(told)


def _names(inputs: Sequence[Any]) -> tuple[str, ...]:
    """`x0`, or `x0.w` for a leaf `w` of a tree."""
    from jax.tree_util import keystr, tree_flatten_with_path

    leaves, _ = tree_flatten_with_path(tuple(inputs))
    return tuple(f"x{keystr(path, simple=True, separator='.')}" for path, _ in leaves)


def _output_names(outputs: Any) -> tuple[str, ...]:
    from jax.tree_util import keystr, tree_flatten_with_path

    leaves, _ = tree_flatten_with_path(outputs)
    if len(leaves) == 1:
        return ("y",)
    return tuple(f"y{keystr(path, simple=True, separator='.')}" for path, _ in leaves)


def _name_of(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
