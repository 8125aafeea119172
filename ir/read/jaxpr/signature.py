"""How a traced function is called: its arguments, each a tree of arrays, and the tree that it gives back."""

from __future__ import annotations

import inspect
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...diagnostics import Diagnostic, InputError
from ...nn import distinct
from ...units import shorten
from ...wording import counted

Json = dict[str, Any]


@dataclass(frozen=True)
class Argument:
    """One argument."""

    name: str
    tree: Any
    """a `PyTreeDef`"""
    leaves: tuple[str, ...]
    """the inputs of the network that its arrays are, in JAX's order"""


@dataclass(frozen=True)
class Signature:
    """The arguments of a function in order, and the tree of what it gives, a `PyTreeDef`."""

    function: str
    arguments: tuple[Argument, ...]
    result: Any
    defaults: tuple[str, ...] = ()
    """the arguments that no example was given of, which keep their defaults"""

    def inputs(self, args: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
        """
        The inputs of the network by name, for arguments in order and by name; what else `named` has stays as it is.

        InputError for too many, for one that is given twice, and for a tree that is not the one of the example.
        """
        if len(args) > len(self.arguments):
            raise _wrong(f"`{self.function}` takes {counted(len(self.arguments), 'argument')}, not {len(args)}")
        if kept := [key for key in named if key in self.defaults]:
            message = f"`{self.function}` was traced with the default of its argument `{kept[0]}`"
            by_place = f"`lambda x, {kept[0]}: f(x, {kept[0]}={kept[0]})`"
            raise _wrong(message, help=f"give an example of it; of {by_place} where it goes by name alone")
        known = {each.name: each for each in self.arguments}
        parts = [self._leaves(argument, value) for argument, value in zip(self.arguments, args, strict=False)]
        parts += [self._leaves(known[key], each) if key in known else {key: each} for key, each in named.items()]
        found: dict[str, Any] = {}
        for part in parts:
            if twice := found.keys() & part:
                raise _wrong(f"input `{min(twice)}` is given twice")
            found |= part
        return found

    def are_names(self, given: Mapping[str, Any]) -> bool:
        """Whether the keys of `given` name arguments or arrays; else it is the one argument itself."""
        return len(self.arguments) != 1 or any(leaf in given for leaf in self.arguments[0].leaves)

    def output(self, arrays: Sequence[Any]) -> Any:
        """What the function gives, made of the outputs of the network."""
        return self.result.unflatten(arrays)

    def document(self) -> Json | None:
        """This as plain data; None where a tree has nodes of the user's own, which are Python alone."""
        try:
            arguments = [
                {"name": each.name, "tree": _packed(each.tree), "leaves": list(each.leaves)} for each in self.arguments
            ]
            ends = {"arguments": arguments, "result": _packed(self.result)}
            return {"function": self.function, "defaults": list(self.defaults), **ends}
        except ValueError:
            return None

    def _leaves(self, argument: Argument, value: Any) -> dict[str, Any]:
        try:
            return dict(zip(argument.leaves, argument.tree.flatten_up_to(value), strict=True))
        except ValueError as error:
            why = shorten(str(error).splitlines()[0].rstrip("."), 120)
            message = f"the argument `{argument.name}` of `{self.function}` is not like its example: {why}"
            raise _wrong(message, help="give dicts, lists and tuples as the example had them") from None


def read_signature(document: Json) -> Signature:
    """What `Signature.document` made."""
    arguments = (Argument(e["name"], _unpacked(e["tree"]), tuple(e["leaves"])) for e in document["arguments"])
    defaults = tuple(document["defaults"])
    return Signature(document["function"], tuple(arguments), _unpacked(document["result"]), defaults)


def argument_names(function: Callable[..., Any], count: int) -> tuple[str, ...]:
    """
    What `function` calls the first `count` arguments that it takes by place.

    One without a name, as of `*rest` or of a function in C, is `x` with its place behind it.
    """
    names = [each.name for each in _parameters(function) if each.kind in _BY_PLACE][:count]
    return distinct([*names, *(f"x{place}" for place in range(len(names), count))])


def defaulted(function: Callable[..., Any], count: int) -> tuple[str, ...]:
    """The arguments that keep their defaults when `function` is called with `count` of them by place."""
    named = (*_BY_PLACE, inspect.Parameter.KEYWORD_ONLY)
    order = sorted((each for each in _parameters(function) if each.kind in named), key=lambda each: each.kind)
    taken = min(count, sum(each.kind in _BY_PLACE for each in order))
    return tuple(each.name for each in order[taken:])


_BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _parameters(function: Callable[..., Any]) -> Sequence[inspect.Parameter]:
    """What it takes; nothing where Python knows no signature of it."""
    try:
        return tuple(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return ()


def _packed(tree: Any) -> str:
    return b64encode(tree.serialize_using_proto()).decode()


def _unpacked(text: str) -> Any:
    from jax.tree_util import PyTreeDef, default_registry

    return PyTreeDef.deserialize_using_proto(default_registry, b64decode(text))


def _wrong(message: str, help: str | None = None) -> InputError:
    return InputError([Diagnostic("program-input", message, help=help)])
