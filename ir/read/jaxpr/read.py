"""From a function and example inputs to a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from traceback import extract_tb
from typing import Any

import numpy as np
from xdsl.dialects.builtin import NameLoc, NoneAttr, StringAttr
from xdsl.ir import Block
from xdsl.utils.exceptions import VerifyException

from ... import nn
from ...diagnostics import Diagnostic, InputError
from . import control, indexing, layout, products, reductions, scalars
from .reader import MOST_KNOWN, Reader, Rule, Unreadable, Value, is_of_jax, type_of
from .signature import Argument, Signature, argument_names, defaulted

RULES: Mapping[str, Rule] = {
    **scalars.RULES,
    **products.RULES,
    **reductions.RULES,
    **layout.RULES,
    **indexing.RULES,
    **control.RULES,
}
"""Name of a primitive -> how it is read."""


@dataclass(frozen=True)
class Traced:
    """A function that was traced."""

    network: nn.NnModule
    signature: Signature


def read_jax(function: Callable[..., Any], example_inputs: Sequence[Any]) -> nn.NnModule:
    """The network of `trace`."""
    return trace(function, example_inputs).network


def trace(function: Callable[..., Any], example_inputs: Sequence[Any]) -> Traced:
    """
    The network that JAX traces `function` to for inputs like `example_inputs`: arrays or `jax.ShapeDtypeStruct`s, or
    trees of them, whose leaves become the network's inputs in order.

    An input is called as its argument is, `x`, with its way in the tree behind it, `params.layers.0.w`; an output by
    its way in what is returned, `cache.k`, behind `y` where that has no name (`y`, `y0`, `y1.k`).

    Arrays that the function closes over become weights. InputError where JAX cannot trace it, and for all primitives at
    once that nn cannot say, with the lines of the user's code that they stand in.
    """
    import jax

    try:
        closed, outputs = jax.make_jaxpr(function, return_shape=True)(*example_inputs)
    except Exception as error:  # whatever the user's function, or JAX in it, raises
        message = f"JAX cannot trace `{_name_of(function)}`: {_first_line(error)}"
        raise InputError([Diagnostic("jax", message, help=_way_out(error))]) from error
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
    arguments = _arguments(function, example_inputs)
    names = tuple(leaf for each in arguments for leaf in each.leaves)
    for argument, name in zip(block.args, names, strict=True):
        argument.name_hint = name if name.isidentifier() else None
    network = nn.NnModule(nn.build_main(block, ends), reader.weights, names, _output_names(outputs))
    defaults = defaulted(function, len(example_inputs))
    return Traced(network, Signature(_name_of(function), arguments, jax.tree.structure(outputs), defaults))


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


def _arguments(function: Callable[..., Any], inputs: Sequence[Any]) -> tuple[Argument, ...]:
    """The arguments, each with the names of its leaves, of which none comes twice."""
    import jax

    names, trees = argument_names(function, len(inputs)), [jax.tree.structure(each) for each in inputs]
    ways = [[f"{name}.{way}" if way else name for way in _ways(each)] for name, each in zip(names, inputs, strict=True)]
    leaves = iter(nn.distinct([leaf for group in ways for leaf in group]))
    return tuple(
        Argument(name, tree, tuple(islice(leaves, len(group))))
        for name, tree, group in zip(names, trees, ways, strict=True)
    )


def _ways(tree: Any) -> list[str]:
    """The way to each leaf, `layers.0.w`; nothing where the tree is a leaf."""
    from jax.tree_util import keystr, tree_flatten_with_path

    return [keystr(path, simple=True, separator=".") for path, _ in tree_flatten_with_path(tree)[0]]


def _output_names(outputs: Any) -> tuple[str, ...]:
    ways = _ways(outputs)
    alone = len(ways) == 1
    return tuple(way if _begins_a_name(way) else "y" if alone else f"y{way}" for way in ways)


def _begins_a_name(way: str) -> bool:
    return way[:1].isalpha() or way.startswith("_")


def _name_of(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _way_out(error: Exception) -> str:
    """Where the user's code failed; where none of it had begun, what it is called with."""
    frames = [frame for frame in extract_tb(error.__traceback__)[1:] if not is_of_jax(frame.filename)]
    if frames:
        return f"it stands in {frames[-1].filename}:{frames[-1].lineno}"
    return "give an example of each argument, in order, and close over what is no array: `lambda x: f(x, 3)`"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
