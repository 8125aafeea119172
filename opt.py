"""`dovetail-opt`: read a module, verify it, run passes over it by name, print it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .ir.diagnostics import Diagnostic, DovetailError, InputError
from .ir.source import SourceFile

FORMATS = ("dot", "mermaid", "svg")
"""of pictures"""

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp
    from xdsl.passes import ModulePass

USAGE = """examples:
  dovetail-opt graph.yaml -p lower-llm-call,partition-pieces
  dovetail-opt module.mlir --pipeline --verify-in-mlir
  dovetail-opt model.onnx --emit svg -o model.svg
  dovetail-opt graph.yaml --pipeline -p 'apply-plan{file="out/plan.json"}'
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool on `argv`; the exit code is 0, or 1 where the input is wrong (2 for usage, from argparse)."""
    options = _arguments().parse_args(argv)
    try:
        _write(options.output, _run(options))
    except DovetailError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader of our output went away (`dovetail-opt ... | head`): nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dovetail-opt",
        description="Read a module (MLIR text, graph.yaml, .onnx or a config.json), verify it, run passes, print it.",
        epilog=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "input", nargs="?", default="-", help="a file, a folder that holds a graph.yaml, or - for MLIR text on stdin"
    )
    parser.add_argument("-p", "--passes", default="", help="passes in order, as in xdsl-opt: `a,b{option=1}`")
    parser.add_argument("--pipeline", action="store_true", help="first run what `plan` runs before planning")
    parser.add_argument("-o", "--output", default="-", help="a file, or - for stdout")
    parser.add_argument("--emit", choices=FORMATS, help="a picture of the result in place of its text")
    parser.add_argument("--generic", action="store_true", help="print every op in the generic form")
    parser.add_argument("--locations", action="store_true", help="print where each op comes from")
    parser.add_argument("--allow-unregistered-dialect", action="store_true")
    parser.add_argument("--verify-in-mlir", action="store_true", help="let MLIR itself verify the result too")
    parser.add_argument("--list-passes", action="store_true", help="print the names of the passes and stop")
    return parser


def _run(options: argparse.Namespace) -> str:
    """The text that was asked for."""
    from .passes import PIPELINE, pass_names, run_passes

    if options.list_passes:
        return "".join(f"{name}\n" for name in pass_names())
    names = [name for name, _ in PIPELINE] if options.pipeline else []
    passes = parse_passes(",".join([*names, *filter(None, [options.passes])]))
    module = read_module(options.input, options.allow_unregistered_dialect)
    run_passes(module, passes)

    from .ir.text import print_module

    if options.verify_in_mlir:
        from .ir.mlir import verify_in_mlir

        verify_in_mlir(print_module(module, generic=True, locations=True))
    if options.emit:
        from .backends.pictures import draw

        return draw(module, options.emit)
    return print_module(module, generic=options.generic, locations=options.locations)


def _write(path: str, text: str) -> None:
    if path == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError([Diagnostic("file", f"cannot write `{path}`: {error}")]) from error


def read_module(path: str, allow_unregistered: bool = False) -> ModuleOp:
    """The module in `path`, verified; by extension: .yaml, .yml, .onnx, .json (a config), else MLIR text; - is stdin.

    A folder stands for the graph.yaml in it. InputError where it cannot be read, parsed or verified.
    """
    from .ir.verify import verify_module

    suffix = ".yaml" if Path(path).is_dir() else Path(path).suffix
    if suffix in (".yaml", ".yml", ".onnx", ".json"):
        module, source = _read_other(path, suffix), None
    else:
        from .ir.text import parse_module

        source = _read_source(path)
        module = parse_module(source.text, source.name, allow_unregistered)
    verify_module(module, f"`{path}`", source)
    return module


def _read_other(path: str, suffix: str) -> ModuleOp:
    if suffix in (".onnx", ".json"):
        from .ir.read.networks import open_network

        return open_network(Path(path)).module
    from .ir.read.graph import read_graph

    return read_graph(Path(path)).module


def _read_source(path: str) -> SourceFile:
    try:
        if path == "-":
            return SourceFile("<stdin>", sys.stdin.read())
        return SourceFile(path, Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([Diagnostic("file", f"cannot read `{path}`: {error}")]) from error


def parse_passes(spec: str) -> list[ModulePass]:
    """The passes that `spec` names, in xDSL's form `a,b{option=1}`; InputError for an unknown name or option."""
    from xdsl.utils.arg_spec import parse_pipeline
    from xdsl.utils.exceptions import ArgSpecParseError

    from .passes import find_pass

    try:
        specs = list(parse_pipeline(spec)) if spec else []
    except ArgSpecParseError as error:
        raise InputError([Diagnostic("pass", str(error))]) from error
    found: list[ModulePass] = []
    for each in specs:
        kind = find_pass(each.name)
        try:
            found.append(kind.from_spec(each))
        except (TypeError, ValueError) as error:
            raise InputError([Diagnostic("pass", f"`{each.name}`: {error}")]) from error
    return found


if __name__ == "__main__":
    sys.exit(main())
