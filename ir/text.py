"""Modules as MLIR text: parsing that keeps the place of every op, and printing."""

from __future__ import annotations

from bisect import bisect_right
from io import StringIO

from xdsl.context import Context
from xdsl.dialects.builtin import FileLineColLoc, IntAttr, ModuleOp, StringAttr, UnknownLoc
from xdsl.ir import Operation
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import ParseError, VerifyException
from xdsl.utils.mlir_lexer import MLIRTokenKind, StringLiteral

from .collector import collector_paused
from .context import make_context
from .diagnostics import Diagnostic, InputError, Label
from .source import SourceFile, Span


class _PlacingParser(Parser):
    """Gives each op that has no `loc(...)` of its own the place where it stands in the text."""

    def __init__(self, context: Context, source: SourceFile) -> None:
        super().__init__(context, source.text, source.name)
        self.name = source.name
        self.starts = [0, *(at + 1 for at, character in enumerate(source.text) if character == "\n")]

    def parse_operation(self) -> Operation:
        start, end = self.pos, self._current_token.span.end
        try:
            op = super().parse_operation()
        except (VerifyException, ValueError) as error:  # an attribute that its own verifier refuses
            self.raise_error(str(error), start, end)
        if isinstance(op.location, UnknownLoc):
            line, col = self.place(start)
            op.location = FileLineColLoc(StringAttr(self.name), IntAttr(line), IntAttr(col))
        return op

    def parse_optional_str_literal(self) -> str | None:
        """The text that stands here, if any; what is not ASCII was printed as escapes, which xDSL takes for bytes."""
        token = self._current_token
        if token.kind is not MLIRTokenKind.BYTES_LIT:
            return super().parse_optional_str_literal()
        try:
            text = StringLiteral.from_span(token.span).string_contents
        except UnicodeDecodeError:
            return None
        self._consume_token()
        return text

    def place(self, position: int) -> tuple[int, int]:
        """Line and column, from 1, of the character at `position`."""
        line = bisect_right(self.starts, position)
        return line, position - self.starts[line - 1] + 1


@collector_paused()
def parse_module(text: str, name: str, allow_unregistered: bool = False) -> ModuleOp:
    """The module that `text` says, with all our dialects known and the place of every op as its location.

    InputError with the place in the file `name` where it does not parse. Nothing is verified yet.
    """
    source = SourceFile(name, text)
    try:
        return _PlacingParser(make_context(allow_unregistered), source).parse_module()
    except ParseError as error:  # of the first word, while the parser is made
        before = text[: error.span.start]
        line, col = before.count("\n") + 1, len(before) - before.rfind("\n")
        span = Span(source, line, col, max(1, error.span.end - error.span.start))
        raise InputError([Diagnostic("parse", _message(error), (Label(span),))]) from error


def _message(error: ParseError) -> str:
    message = error.msg.strip().partition("\n")[0]
    if message.startswith("Could not parse entire input"):
        return "an op is expected here"
    return message.removesuffix(" after {first_char}") or "the text does not parse"  # xDSL never fills this in


@collector_paused()
def print_module(module: ModuleOp, generic: bool = False, locations: bool = False) -> str:
    """`module` as text that ends in a newline; `generic` is the form that MLIR reads whatever forms xDSL has."""
    stream = StringIO()
    Printer(stream, print_generic_format=generic, print_debuginfo=locations).print_op(module)
    return stream.getvalue() + "\n"
