"""A second opinion: MLIR's own parser and verifier, over whichever Python bindings are installed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from types import ModuleType
from typing import Any

from xdsl.ir import Dialect
from xdsl.traits import IsolatedFromAbove, NoTerminator

from .diagnostics import Diagnostic, InputError, Label
from .irdl import Form, export_irdl, ops_with, variadic_ops
from .source import SourceFile
from .verify import span_at

PACKAGES = ("mlir", "torch_mlir", "iree.compiler", "jaxlib.mlir")
"""Packages that carry the bindings, best first; the last has no IRDL and can only parse."""

FILE_LINE_COL = re.compile(r'"([^"]*)":(\d+):(\d+)')
"""A place as MLIR prints it; `-` is the text that it was given."""

CLEANUP = ("canonicalize", "cse")
"""MLIR's own passes, which must not change what a module of ours means."""

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


def verify_in_mlir(text: str, dialects: Sequence[Dialect] | None = None, passes: Sequence[str] = ()) -> str:
    """
    Let MLIR parse and verify `text`, a module in the generic form, and run its own `passes`, such as CLEANUP.

    Returns the module as MLIR prints it, in the generic form with locations. `dialects` are known to MLIR, ours unless
    given. InputError with MLIR's message where it refuses the text, and where no bindings with IRDL are installed.
    """
    bindings = find_bindings()
    if bindings is None or bindings.irdl is None:
        raise InputError([Diagnostic("mlir", INSTALL)])
    known = our_dialects() if dialects is None else tuple(dialects)
    forms, renamed = name_forms(text, variadic_ops(known))
    ir = bindings.ir
    try:
        traits = (tuple(ops_with(trait, known, forms)) for trait in (NoTerminator, IsolatedFromAbove))
        with _context(bindings, export_irdl(known, forms), *traits), ir.Location.unknown():
            module = ir.Module.parse(renamed)
            if passes:
                manager = import_module(f"{bindings.package}.passmanager").PassManager
                manager.parse(f"builtin.module({','.join(passes)})").run(module.operation)
            printed = module.operation.get_asm(print_generic_op_form=True, enable_debug_info=True, use_local_scope=True)
    except ir.MLIRError as error:
        raise InputError(_diagnostics(error, text, forms)) from error
    return _plain(printed, forms)


@lru_cache(maxsize=4)  # making one takes ten times as long as checking most modules does
def _context(bindings: Bindings, definitions: str, no_terminator: tuple[str, ...], isolated: tuple[str, ...]) -> Any:
    """A context that knows the ops of `definitions`, and which of them have a trait."""
    assert bindings.irdl is not None
    ir = bindings.ir
    context = ir.Context()
    with context, ir.Location.unknown():
        bindings.irdl.load_dialects(ir.Module.parse(definitions))
        for name in no_terminator:
            ir.NoTerminatorTrait.attach(name)
        for name in isolated:
            ir.IsIsolatedFromAboveTrait.attach(name)
    return context


def name_forms(text: str, ops: Sequence[str]) -> tuple[frozenset[Form], str]:
    """The forms in which `ops` stand in `text`, a module in the generic form, and `text` with their names instead."""
    found: set[Form] = set()

    def named(match: re.Match[str]) -> str:
        results, op, operands = match["results"] or "", match["op"], match["operands"]
        counts = [int(part.partition(":")[2] or 1) for part in results.split(",") if part.strip()]
        form = Form(op, operands.count("%"), sum(counts))
        found.add(form)
        return f'{match["left"] or ""}"{form.name}"({operands})'

    if not ops:
        return frozenset(), text
    names = "|".join(map(re.escape, ops))
    pattern = rf'(?P<left>(?P<results>%[^=\n"]*?)\s*=\s*)?"(?P<op>{names})"\s*\((?P<operands>[^()]*)\)'
    renamed = re.sub(pattern, named, text)
    return frozenset(found), renamed


def _plain(text: str, forms: Iterable[Form]) -> str:
    """`text` with the names of ops for those of their forms."""
    for form in forms:
        text = re.sub(rf"\b{re.escape(form.name)}\b", form.op, text)
    return text


def _diagnostics(error: Any, text: str, forms: Iterable[Form]) -> list[Diagnostic]:
    """What MLIR said, at the places that it names: of a file where an op has a location, else of `text`."""
    found = []
    for each in error.error_diagnostics:
        message, labels = f"MLIR refuses the module: {_plain(each.message, forms)}", ()
        if place := FILE_LINE_COL.search(str(each.location)):
            name, line, col = place.groups()
            labels = (Label(span_at(name, int(line), int(col), SourceFile("-", text))),)
        else:
            message += f" at {each.location}"
        found.append(Diagnostic("mlir", message, labels))
    return found or [Diagnostic("mlir", f"MLIR refuses the module: {error}")]
