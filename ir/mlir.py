"""A second opinion: MLIR's own parser and verifier, over whichever Python bindings are installed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from xdsl.ir import Dialect

from .diagnostics import Diagnostic, InputError, Label
from .irdl import export_irdl, no_terminator_ops, variadic_ops
from .source import SourceFile
from .verify import span_at

PACKAGES = ("mlir", "torch_mlir", "iree.compiler", "jaxlib.mlir")
"""Packages that carry the bindings, best first; the last has no IRDL and can only parse."""

FILE_LINE_COL = re.compile(r'"([^"]*)":(\d+):(\d+)')
"""A place as MLIR prints it; `-` is the text that it was given."""

UNCHECKED = "unchecked"
"""A dialect that nobody knows, for ops that IRDL cannot describe."""

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
    first = None
    for package in PACKAGES:
        bindings = _load(package)
        if bindings and bindings.irdl:
            return bindings
        first = first or bindings
    return first


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
    """All dialects of this package."""
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
    hidden = _hide(text, variadic_ops(known))
    with ir.Context() as context, ir.Location.unknown():
        context.allow_unregistered_dialects = hidden != text
        try:
            definitions = ir.Module.parse(export_irdl(known))
            bindings.irdl.load_dialects(definitions)
            for name in no_terminator_ops(known):
                ir.NoTerminatorTrait.attach(name)
            return str(ir.Module.parse(hidden)).replace(f'"{UNCHECKED}.', '"')
        except ir.MLIRError as error:
            raise InputError(_diagnostics(error, text)) from error


def _hide(text: str, ops: Sequence[str]) -> str:
    """`text` with `ops` in a dialect that MLIR does not know, and so does not verify."""
    for name in ops:
        text = text.replace(f'"{name}"(', f'"{UNCHECKED}.{name}"(')
    return text


def _diagnostics(error: Any, text: str) -> list[Diagnostic]:
    """What MLIR said, at the places that it names: of a file where an op has a location, else of `text`."""
    found = []
    for each in error.error_diagnostics:
        message, labels = f"MLIR refuses the module: {each.message}", ()
        if place := FILE_LINE_COL.search(str(each.location)):
            name, line, col = place.groups()
            labels = (Label(span_at(name, int(line), int(col), SourceFile("-", text))),)
        else:
            message += f" at {each.location}"
        found.append(Diagnostic("mlir", message, labels))
    return found or [Diagnostic("mlir", f"MLIR refuses the module: {error}")]
