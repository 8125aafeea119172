"""`dovetail compile`: its arguments, and what it prints and writes; what it asks for is imported when it is done."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import names, sizes
from .terminal import coloured

if TYPE_CHECKING:
    from ..program import Program

DONE, MISSED = 0, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("model", metavar="MODEL", help="an .onnx, a config.json, an .mlir, or module:function")
    parser.add_argument("--fleet", metavar="FILE", help="fleet.yaml; this machine's CPU unless said")
    help = "what the network leaves open: batch=1,tokens=512"
    parser.add_argument("--sizes", type=sizes, metavar="NAME=N,...", help=help)
    help = "what it computes in, and its weights are kept in: bf16, or matmul=bf16,norm=fp32,weights=int4"
    parser.add_argument("--precision", metavar="[KIND=]P,...", help=help)
    help = "print the errors of each piece and of the whole against float64; exit code 1 if one is out of tolerance"
    parser.add_argument("--verify", action="store_true", help=help)
    help = "with --verify: an .npz with the inputs by name; random ones unless said"
    parser.add_argument("--inputs", metavar="FILE", help=help)
    parser.add_argument("-o", "--output", metavar="DIR", help="folder for sources and weights")
    parser.add_argument("--force", action="store_true", help="replace DIR even if it was not written by us")
    help = "export what runs in JAX for these too, of cpu, cuda, rocm and tpu; none has to be here"
    parser.add_argument("--export", type=names, default=(), metavar="PLATFORM,...", help=help)
    help = "let this function of yours run, in a process of its own; it returns (JAX function, example inputs)"
    parser.add_argument("--allow-python", action="append", default=[], metavar="MODULE:FUNCTION", help=help)
    help = "give Triton kernels the tiles that run fastest on this machine's GPU, and print what was timed"
    parser.add_argument("--autotune", action="store_true", help=help)
    parser.set_defaults(do=do)


def do(arguments: argparse.Namespace) -> int:
    """Compile, then verify and write what is asked for; the exit code is 1 where a piece is out of tolerance."""
    from ..ir.diagnostics import Diagnostic, InputError
    from ..program import compile

    if arguments.output is None and not arguments.verify:
        help = "`-o DIR` writes the program, `--verify` prints its errors"
        raise InputError([Diagnostic("compile", "nothing says what to do with the program", help=help)])
    if arguments.inputs is not None and not arguments.verify:
        raise InputError([Diagnostic("compile", "`--inputs` goes with `--verify`")])
    options = {"fleet": arguments.fleet, "sizes": arguments.sizes, "allow_python": arguments.allow_python}
    program = compile(arguments.model, **options, precision=arguments.precision, autotune=arguments.autotune)
    for note in program.network.notes:
        print(coloured(note.render()), file=sys.stderr)
    if arguments.autotune:
        from ..backends.tiles_text import tiles_text

        print(tiles_text(program.tiles), end="")
    found = _verify(program, arguments.inputs) if arguments.verify else None
    if arguments.output is not None:
        program.save(arguments.output, force=arguments.force, exports=arguments.export, verified=found)
        print(f"written to {arguments.output}", file=sys.stderr)
    return DONE if found is None or found["holds"] else MISSED


def _verify(program: Program, inputs: str | None) -> dict[str, Any]:
    from ..backends.verify_text import verify_text

    found = program.verify(*(() if inputs is None else (_arrays(Path(inputs)),)))
    print(verify_text(found), end="")
    return found


def _arrays(path: Path) -> dict[str, Any]:
    """The arrays of an .npz by name; InputError where it cannot be read."""
    from ..ir.diagnostics import Diagnostic, InputError
    from ..ir.npz import read_npz

    try:
        return read_npz(path)
    except ValueError as error:
        raise InputError([Diagnostic("program-input", str(error))]) from None
