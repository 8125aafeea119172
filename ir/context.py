"""One xDSL context for everyone: all dialects known by name, each loaded when first met."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from xdsl.context import Context
from xdsl.ir import Dialect

DIALECTS = {
    "agent": (".agent", "Agent"),
    "llm": (".llm", "Llm"),
    "nn": (".nn", "Nn"),
    "plan": (".plan", "Plan"),
}
"""Dialect name -> its module and its name there."""

BUILTIN = {
    "builtin": ("xdsl.dialects.builtin", "Builtin"),
    "func": ("xdsl.dialects.func", "Func"),
    "arith": ("xdsl.dialects.arith", "Arith"),
    "tensor": ("xdsl.dialects.tensor", "Tensor"),
    "linalg": ("xdsl.dialects.linalg", "Linalg"),
}
"""xDSL's own dialects that our modules use."""


def make_context(allow_unregistered: bool = False) -> Context:
    """A context in which every dialect is registered and none but `builtin` is loaded yet."""
    context = Context(allow_unregistered=allow_unregistered)
    for name, (module, attribute) in (DIALECTS | BUILTIN).items():
        context.register_dialect(name, _loader(module, attribute))
    context.load_registered_dialect("builtin")
    return context


def _loader(module: str, attribute: str) -> Callable[[], Dialect]:
    return lambda: getattr(import_module(module, __package__), attribute)
