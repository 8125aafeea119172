"""Verification with diagnostics: every fault of a module at once, each at its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from xdsl.dialects.builtin import FileLineColLoc, ModuleOp, StringAttr
from xdsl.ir import Operation
from xdsl.irdl import IRDLOperation, OptAttributeDef, VerificationContext
from xdsl.utils.exceptions import VerifyException

from .agent import DistAttr
from .diagnostics import Diagnostic, InputError, Label
from .source import SourceFile, Span

OP_NAME = re.compile(r'"[^"]*"|[\w.%$-]+')


def verify_module(module: ModuleOp, what: str, source: SourceFile | None = None) -> None:
    """InputError with the faults of `module`, which messages call `what`; `source` is the text it was read from.

    What ops must have by their definitions is told first, and what their verifiers ask only where all have it, since
    these read the attributes of other ops too.
    """
    try:
        module.verify()
    except Exception as error:  # where an attribute is missing, a verifier that reads it fails in ways of its own
        _raise(module, _structure, source, error)
        if not isinstance(error, VerifyException):
            raise
        _raise(module, _meaning, source, error)
        raise InputError([Diagnostic("verify", f"{what} does not verify: {last_line(error)}")]) from error
    _raise(module, _distributions, source, None)
    if early := [diagnostic_at(op, message, source) for op, message in _used_early(module)]:
        raise InputError(early)


def _raise(
    module: ModuleOp,
    faults_of: Callable[[Operation], Iterator[str]],
    source: SourceFile | None,
    cause: Exception | None,
) -> None:
    """InputError with what `faults_of` says of each op, if it says anything."""
    faults = [diagnostic_at(op, message, source) for op in module.walk() for message in faults_of(op)]
    if faults:
        raise InputError(faults) from cause


def _structure(op: Operation) -> Iterator[str]:
    """Why `op` is not of the form that its definition gives."""
    if isinstance(op, IRDLOperation):
        wrong = list(_wrong_attributes(op))
        try:
            op.get_irdl_definition().verify(op)
        except VerifyException as error:
            yield from wrong or [last_line(error)]
    yield from _distributions(op)


def _distributions(op: Operation) -> Iterator[str]:
    """The attributes of `op` that are no distributions, though they say so."""
    for key, attribute in op.attributes.items():
        if isinstance(attribute, DistAttr):
            try:
                _ = attribute.value
            except (ValueError, AttributeError) as error:
                yield f"`{key}` is no distribution: {error}"


def _used_early(module: ModuleOp) -> Iterator[tuple[Operation, str]]:
    """The ops of functions that use what a later op of their block makes, or they themselves, which xDSL lets pass."""
    functions = (op for op in module.walk() if op.name == "func.func")  # its class would bring the parser with it
    for block in (block for op in functions for region in op.regions for block in region.blocks):
        made: set[Operation] = set()
        for op in block.ops:
            for index, operand in enumerate(op.operands):
                owner = operand.owner
                if isinstance(owner, Operation) and owner.parent is block and owner not in made:
                    yield op, f"operand {index} is made by `{owner.name}`, which does not come before"
            made.add(op)


def _wrong_attributes(op: IRDLOperation) -> Iterator[str]:
    """The attributes of `op` that are missing or not of their kind: xDSL's own message names none of the latter."""
    for key, definition in op.get_irdl_definition().attributes.items():
        value = op.attributes.get(key)
        if value is None:
            if not isinstance(definition, OptAttributeDef):
                yield f"the attribute `{key}` is missing"
            continue
        try:
            definition.constr.verify(value, VerificationContext())
        except VerifyException as error:
            yield f"the attribute `{key}`: {last_line(error)}"


def _meaning(op: Operation) -> Iterator[str]:
    """What the verifier of `op` says against it, the ops inside left out."""
    try:
        op.verify(verify_nested_ops=False)
    except VerifyException as error:
        yield last_line(error)


def last_line(error: Exception) -> str:
    """What a verifier or a pass said, without the module that xDSL prints around it."""
    cause = error.__cause__ or error
    text = str(cause).strip()
    line = text.splitlines()[-1].strip() if text else type(cause).__name__
    return line.removeprefix("Operation does not verify: ").removeprefix("Underlying verification failure: ")


def diagnostic_at(op: Operation, message: str, source: SourceFile | None) -> Diagnostic:
    symbol = op.attributes.get("sym_name")
    name = f"{op.name} @{symbol.data}" if isinstance(symbol, StringAttr) else op.name
    span = place_of(op, source)
    return Diagnostic("verify", f"`{name}`: {message}", (Label(span),) if span else ())


def place_of(op: Operation, source: SourceFile | None = None) -> Span | None:
    """Where `op` stands, by its location; the text is that of `source` where it is the file named there."""
    location = op.location
    if not isinstance(location, FileLineColLoc):
        return None
    return span_at(location.filename.data, location.line.data, location.column.data, source)


def span_at(name: str, line: int, col: int, source: SourceFile | None = None) -> Span:
    """The word at a place of the file `name`, which is read unless it is `source`."""
    if source is None or source.name != name:
        path = Path(name)
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        source = SourceFile(name, text)
    found = OP_NAME.match(source.line(line), col - 1)
    return Span(source, line, col, len(found.group()) if found else 1)
