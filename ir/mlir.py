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
from .irdl import Form, export_irdl, ops_with, optional_attributes, variadic_ops
from .source import SourceFile
from .verify import span_at

PACKAGES = ("mlir", "torch_mlir", "iree.compiler", "jaxlib.mlir")
"""Packages that carry the bindings, best first; the last has no IRDL and can only parse."""

FILE_LINE_COL = re.compile(r'"([^"]*)":(\d+):(\d+)')
"""A place as MLIR prints it; `-` is the text that it was given."""

NOT_IN_A_LOCATION = r"(?<![\[(,])(?<![\[(,]\s)"
"""before the name of an op, which a location could have too: `loc("nn.add"("a.py":1:1))`"""

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
    ir, forms = bindings.ir, frozenset[Form]()
    try:
        forms, renamed = name_forms(ir, text, known)
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


@cache
def _lenient_context(ir: ModuleType) -> Any:
    """A context that takes ops that it does not know."""
    context = ir.Context()
    context.allow_unregistered_dialects = True
    return context


def name_forms(ir: ModuleType, text: str, dialects: Sequence[Dialect]) -> tuple[frozenset[Form], str]:
    """The forms that ops of `dialects` have in `text`, in the generic form, and `text` with their names instead."""
    optional, variadic = optional_attributes(dialects), variadic_ops(dialects)
    found: list[Form] = []

    def note(op: Any) -> Any:
        if op.name in optional:
            there = sorted(name for name in optional[op.name] if name in op.attributes)
            found.append(Form(op.name, len(op.operands), len(op.results), tuple(there)))
        return ir.WalkResult.ADVANCE

    with _lenient_context(ir), ir.Location.unknown():
        ir.Module.parse(text).operation.walk(note, ir.WalkOrder.PRE_ORDER)
    names = [form.name if form.optional or form.op in variadic else form.op for form in found]
    in_order = iter(names)  # an op stands before those in its regions, in the text as in the walk
    pattern = rf'{NOT_IN_A_LOCATION}"(?:{"|".join(map(re.escape, optional))})"(?=\s*\()'
    renamed = re.sub(pattern, lambda _: f'"{next(in_order)}"', text)
    return frozenset(form for form, name in zip(found, names, strict=True) if name != form.op), renamed


def _plain(text: str, forms: Iterable[Form]) -> str:
    """`text` with the names of ops for those of their forms."""
    for form in sorted(forms, key=lambda form: -len(form.name)):  # one name may begin another
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
