"""`dovetail scratchpad`: its arguments, and what it prints and writes; what it asks for is imported when it is done."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import alignment, level, positive, size_bytes
from .terminal import show_progress

if TYPE_CHECKING:
    from ..planner.scratchpad.hierarchy import HierarchyPlan
    from ..planner.scratchpad.plan import ScratchpadPlan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("model", metavar="MODEL", help="an .onnx, a tensor graph in .json, or a network in .mlir")
    parser.add_argument(
        "--size", type=size_bytes, required=True, metavar="N", help="of the scratchpad, such as 1568KiB"
    )
    parser.add_argument("--params", action="store_true", help="parameters are tensors too")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--in-place", action="store_true", help="let outputs take over buffers of inputs that end")
    way.add_argument("--tile", action="store_true", help="run operators that do not fit in tiles")
    parser.add_argument("--align", type=alignment, default=1, metavar="N", help="offsets are multiples of N bytes")
    parser.add_argument(
        "--level",
        type=level,
        action="append",
        default=[],
        metavar="NAME:SIZE:BANDWIDTH",
        help="a memory beyond the scratchpad, nearest first; the outermost has no size: dram::25GB/s",
    )
    parser.add_argument("--objective", choices=("bytes", "makespan"), help="with --level: bytes unless said")
    parser.add_argument("--time-limit", type=positive, metavar="S", help="stop after S seconds with the best so far")
    parser.add_argument("--json", action="store_true", help="print the plan as JSON alone on stdout")
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="write the plan, a memory map, a trace and a table of spills here"
    )
    parser.add_argument("--force", action="store_true", help="replace DIR even if it was not written by us")
    parser.set_defaults(do=do)


def do(arguments: argparse.Namespace) -> int:
    """Print the plan, and write what is asked for; the exit code is 0."""
    from ..backends.hierarchy_text import hierarchy_text
    from ..backends.scratchpad_text import scratchpad_text
    from ..ir.diagnostics import Infeasible

    try:
        found = (_plan_levels if arguments.level or arguments.objective else _plan_scratchpad)(arguments)
    except Infeasible as error:
        if arguments.json:
            print(json.dumps(error.document, indent=2, ensure_ascii=False))
        raise
    document = found.to_json()
    name = Path(arguments.model).stem
    text = (hierarchy_text if arguments.level else scratchpad_text)(document, name)
    print(json.dumps(document, indent=2, ensure_ascii=False) + "\n" if arguments.json else text, end="")
    if arguments.output is not None:
        from ..backends import OutputFile
        from ..backends.memory_map import scratchpad_files
        from ..backends.writer import write_folder

        files = [OutputFile("plan.txt", text), *scratchpad_files(document, name)]
        write_folder(files, arguments.output, force=arguments.force)
        print(f"written to {arguments.output}", file=sys.stderr)
    return 0


def _plan_scratchpad(arguments: argparse.Namespace) -> ScratchpadPlan:
    from ..scratchpad_driver import scratchpad

    return scratchpad(
        arguments.model,
        arguments.size,
        parameters=arguments.params,
        alignment_bytes=arguments.align,
        in_place=arguments.in_place,
        tile=arguments.tile,
        time_limit_s=arguments.time_limit,
        on_progress=show_progress if sys.stderr.isatty() else None,
    )


def _plan_levels(arguments: argparse.Namespace) -> HierarchyPlan:
    from ..ir.diagnostics import Diagnostic, InputError
    from ..scratchpad_driver import hierarchy

    if not arguments.level:
        raise InputError([Diagnostic("hierarchy", "`--objective` goes with `--level`")])
    if arguments.in_place or arguments.tile:
        raise InputError([Diagnostic("hierarchy", "`--level` does not go with `--in-place` or `--tile`")])
    return hierarchy(
        arguments.model,
        arguments.size,
        arguments.level,
        objective=arguments.objective or "bytes",
        parameters=arguments.params,
        alignment_bytes=arguments.align,
        time_limit_s=arguments.time_limit,
    )
