"""A second opinion: MLIR's own parser and verifier, over whichever Python bindings are installed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType

from xdsl.ir import Dialect

from .diagnostics import Diagnostic, InputError
from .irdl import export_irdl, no_terminator_ops

PACKAGES = ("mlir", "torch_mlir", "iree.compiler", "jaxlib.mlir")
"""Packages that carry the bindings, best first; the last has no IRDL and can only parse."""

INSTALL = "MLIR's Python bindings are not installed: pip install 'dovetail[mlir]'"


@dataclass(frozen=True)
class Bindings:
    """MLIR's Python bindings, from one of several packages."""

    package: str
    ir: ModuleType
    irdl: ModuleType | None
    """None where the package was built without the IRDL dialect or without dynamic traits"""


@cache
def find_bindings() -> Bindings | None:
    """The first bindings that can load IRDL, else the first of any kind, else None."""
    found = [bindings for package in PACKAGES if (bindings := _load(package))]
    return next((each for each in found if each.irdl), found[0] if found else None)


def _load(package: str) -> Bindings | None:
    try:
        ir = import_module(f"{package}.ir")
    except ImportError:
        return None
    try:
        irdl = import_module(f"{package}.dialects.irdl") if hasattr(ir, "NoTerminatorTrait") else None
    except ImportError:
        irdl = None
    return Bindings(package, ir, irdl)


def our_dialects() -> tuple[Dialect, ...]:
    """All dialects of this package, each after those whose attributes it uses."""
    from .agent import Agent
    from .llm import Llm
    from .nn import Nn
    from .plan import Plan

    return (Agent, Llm, Nn, Plan)


def verify_in_mlir(text: str, dialects: Sequence[Dialect] | None = None) -> str:
    """Let MLIR parse and verify `text`, a module in the generic form; returns what MLIR prints.

    `dialects` are known to it, ours unless given. InputError with MLIR's message where it refuses the text, and
    where no bindings with IRDL are installed.
    """
    bindings = find_bindings()
    if bindings is None or bindings.irdl is None:
        raise InputError([Diagnostic("mlir", INSTALL)])
    known = our_dialects() if dialects is None else tuple(dialects)
    ir = bindings.ir
    with ir.Context(), ir.Location.unknown():
        try:
            definitions = ir.Module.parse(export_irdl(known))
            bindings.irdl.load_dialects(definitions)
            for name in no_terminator_ops(known):
                ir.NoTerminatorTrait.attach(name)
            return str(ir.Module.parse(text))
        except ir.MLIRError as error:
            raise InputError([Diagnostic("mlir", f"MLIR refuses the module\n{error}")]) from error
