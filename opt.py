"""`dovetail-opt`: read a module, verify it, run passes over it by name, print it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .ir.diagnostics import Diagnostic, DovetailError, InputError, Label, did_you_mean
from .ir.source import SourceFile, Span

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp
    from xdsl.ir import Operation
    from xdsl.passes import ModulePass
    from xdsl.utils.exceptions import ParseError

USAGE = """examples:
  dovetail-opt graph.yaml -p lower-llm-call,partition-pieces
  dovetail-opt module.mlir --pipeline --verify-in-mlir
  dovetail-opt graph.yaml --pipeline -p 'apply-plan{file="out/plan.json"}'
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool on `argv`; the exit code is 0, or 1 where the input is wrong (2 for usage, from argparse)."""
    options = _arguments().parse_args(argv)
    try:
        text = _run(options)
    except DovetailError as error:
        print(error, file=sys.stderr)
        return 1
    if options.output == "-":
        sys.stdout.write(text)
    else:
        Path(options.output).write_text(text, encoding="utf-8")
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dovetail-opt",
        description="Read a module (MLIR text, graph.yaml or .onnx), verify it, run passes, print it.",
        epilog=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("input", nargs="?", default="-", help="a file, or - for MLIR text on stdin")
    parser.add_argument("-p", "--passes", default="", help="passes in order, as in xdsl-opt: `a,b{option=1}`")
    parser.add_argument("--pipeline", action="store_true", help="first run what `plan` runs before planning")
    parser.add_argument("-o", "--output", default="-", help="a file, or - for stdout")
    parser.add_argument("--generic", action="store_true", help="print every op in the generic form")
    parser.add_argument("--locations", action="store_true", help="print where each op comes from")
    parser.add_argument("--allow-unregistered-dialect", action="store_true")
    parser.add_argument("--verify-in-mlir", action="store_true", help="let MLIR itself verify the result too")
    parser.add_argument("--list-passes", action="store_true", help="print the names of the passes and stop")
    return parser


def _run(options: argparse.Namespace) -> str:
    from .passes import PIPELINE, available_passes

    if options.list_passes:
        return "".join(f"{name}\n" for name in sorted(available_passes()))
    names = [name for name, _ in PIPELINE] if options.pipeline else []
    passes = parse_passes(",".join([*names, *filter(None, [options.passes])]))
    module = read_module(options.input, options.allow_unregistered_dialect)
    _verify(module, "the input")
    apply_passes(module, passes)
    if options.verify_in_mlir:
        from .ir.mlir import generic_text, verify_in_mlir

        verify_in_mlir(generic_text(module))
    return print_module(module, generic=options.generic, locations=options.locations)


def read_module(path: str, allow_unregistered: bool = False) -> ModuleOp:
    """The module in `path`, by its extension: .yaml and .yml, .onnx, else MLIR text; `-` is text on stdin.

    InputError where the file cannot be read or parsed.
    """
    suffix = Path(path).suffix
    if suffix in (".yaml", ".yml"):
        from .ir.read.graph import read_graph

        return read_graph(Path(path)).module
    if suffix == ".onnx":
        from .ir.read.onnx import read_onnx

        return read_onnx(Path(path)).module
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([Diagnostic("file", f"cannot read `{path}`: {error}")]) from error
    return parse_module(text, "<stdin>" if path == "-" else path, allow_unregistered)


def parse_module(text: str, name: str, allow_unregistered: bool = False) -> ModuleOp:
    """The module that `text` says, with all our dialects known; InputError with the place where it does not parse."""
    from xdsl.parser import Parser
    from xdsl.utils.exceptions import ParseError, VerifyException

    from .ir.context import make_context

    try:
        return Parser(make_context(allow_unregistered), text, name).parse_module()
    except ParseError as error:
        raise InputError([_parse_diagnostic(error, SourceFile(name, text))]) from error
    except VerifyException as error:
        raise InputError(
            [Diagnostic("verify", f"`{name}` holds an attribute that does not verify: {error}")]
        ) from error


def _parse_diagnostic(error: ParseError, source: SourceFile) -> Diagnostic:
    before = source.text[: error.span.start]
    line, col = before.count("\n") + 1, error.span.start - (before.rfind("\n") + 1) + 1
    span = Span(source, line, col, max(1, error.span.end - error.span.start))
    message = error.msg.strip().splitlines()[0] if error.msg.strip() else "the text does not parse"
    return Diagnostic("parse", message, (Label(span),))


def parse_passes(spec: str) -> list[ModulePass]:
    """The passes that `spec` names, in xDSL's form `a,b{option=1}`; InputError for an unknown name or option."""
    from xdsl.utils.arg_spec import ArgSpecParseError, parse_pipeline

    from .passes import available_passes

    known, found = available_passes(), []
    try:
        specs = list(parse_pipeline(spec)) if spec else []
    except ArgSpecParseError as error:
        raise InputError([Diagnostic("pass", str(error))]) from error
    for each in specs:
        if each.name not in known:
            message = f"there is no pass `{each.name}`"
            raise InputError([Diagnostic("pass", message, help=did_you_mean(each.name, known))])
        try:
            found.append(known[each.name]().from_spec(each))
        except (TypeError, ValueError) as error:
            raise InputError([Diagnostic("pass", f"`{each.name}`: {error}")]) from error
    return found


def apply_passes(module: ModuleOp, passes: Sequence[ModulePass]) -> None:
    """Run `passes` over `module` in order and verify it after each; InputError names the pass that broke it."""
    from xdsl.utils.exceptions import DiagnosticException

    from .ir.context import make_context

    for each in passes:
        try:
            each.apply(make_context(), module)
        except DiagnosticException as error:
            raise InputError([Diagnostic("pass", f"`{each.name}`: {_last_line(error)}")]) from error
        _verify(module, f"the module after `{each.name}`")


def _verify(module: ModuleOp, what: str) -> None:
    """InputError with every op of `module` that does not verify on its own, else with the first fault of the whole."""
    from xdsl.utils.exceptions import VerifyException

    try:
        module.verify()
    except VerifyException as error:
        found = [fault for op in module.walk() if (fault := _fault(op))]
        whole = Diagnostic("verify", f"{what} does not verify: {_last_line(error)}")
        raise InputError(found or [whole]) from error


def _fault(op: Operation) -> Diagnostic | None:
    from xdsl.dialects.builtin import StringAttr
    from xdsl.utils.exceptions import VerifyException

    try:
        op.verify(verify_nested_ops=False)
    except VerifyException as error:
        symbol = op.attributes.get("sym_name")
        name = f"{op.name} @{symbol.data}" if isinstance(symbol, StringAttr) else op.name
        return Diagnostic("verify", f"`{name}`: {_last_line(error)}", _labels(op))
    return None


def _last_line(error: Exception) -> str:
    """What the verifier said, without the module that xDSL prints around it."""
    cause = error.__cause__ or error
    return str(cause).strip().splitlines()[-1].strip().removeprefix("Operation does not verify: ")


def _labels(op: Operation) -> tuple[Label, ...]:
    from xdsl.dialects.builtin import FileLineColLoc

    location = op.location
    if not isinstance(location, FileLineColLoc):
        return ()
    path = Path(location.filename.data)
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return (Label(Span(SourceFile(str(path), text), location.line.data, location.column.data)),)


def print_module(module: ModuleOp, generic: bool = False, locations: bool = False) -> str:
    """`module` as text that ends in a newline."""
    from io import StringIO

    from xdsl.printer import Printer

    stream = StringIO()
    Printer(stream, print_generic_format=generic, print_debuginfo=locations).print_op(module)
    return stream.getvalue() + "\n"


if __name__ == "__main__":
    sys.exit(main())
