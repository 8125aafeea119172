"""`dovetail partition`: its arguments, and what it prints; what it asks for is imported when it is done."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from .arguments import positive, size_bytes, sizes
from .terminal import coloured, show_progress

EQUAL = ("devices", "device", "memory", "pipeline")
"""options for equal devices alone"""
UNLIKE = ("fleet", "objective", "ends_at", "time_limit")
"""options for unlike devices alone"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("model", metavar="MODEL", help="an .onnx, a network in .mlir, or a config.json of Hugging Face")
    help = "open sizes; of a config.json `batch`, and `tokens` or the `context` that one token follows"
    parser.add_argument("--sizes", type=sizes, metavar="NAME=N,...", help=help)
    parser.add_argument("--json", action="store_true", help="print all as JSON, the way of every op too")
    help = "write the plan here, and the network: for equal devices as sharded JAX source, else in pieces"
    parser.add_argument("-o", "--output", metavar="DIR", help=help)
    parser.add_argument("--force", action="store_true", help="replace DIR even if it was not written by us")
    equal = parser.add_argument_group("equal devices: each op is shared among all of them")
    equal.add_argument("--devices", type=int, metavar="N", help="how many devices share it")
    equal.add_argument("--device", metavar="NAME", help="of the catalogue, such as h100-sxm")
    equal.add_argument("--memory", type=size_bytes, metavar="N", help="of one device, in place of all that it has")
    equal.add_argument("--pipeline", action="store_true", help="stages of whole ops, one on each device")
    unlike = parser.add_argument_group("unlike devices: each op runs on one of them")
    unlike.add_argument(
        "--over", metavar="A,B*2,...", help="of the fleet, or of the catalogue, as epyc-9554,h100-sxm*2"
    )
    unlike.add_argument("--fleet", metavar="FILE", help="fleet.yaml; devices of the catalogue in one host unless said")
    unlike.add_argument("--objective", choices=("makespan", "throughput"), help="makespan unless said")
    unlike.add_argument("--ends-at", metavar="NAME", help="inputs come from this device, and outputs go to it")
    unlike.add_argument("--time-limit", type=positive, metavar="S", help="stop after S seconds with the best so far")
    parser.set_defaults(do=do)


def do(arguments: argparse.Namespace) -> int:
    """Print the partition; the exit code is 0."""
    from ..ir.diagnostics import Diagnostic, InputError

    others = EQUAL if arguments.over is not None else UNLIKE
    wrong = [f"`--{name.replace('_', '-')}`" for name in others if getattr(arguments, name)]
    if wrong:
        one = "--over" if arguments.over is not None else "--devices"
        raise InputError([Diagnostic("partition", f"{', '.join(wrong)} does not go with `{one}`")])
    if arguments.over is not None:
        return _do_unlike(arguments)
    if arguments.devices is None or arguments.device is None:
        help = "`--devices 8 --device h100-sxm` are equal ones, `--over epyc-9554,h100-sxm` unlike ones"
        raise InputError([Diagnostic("partition", "nothing says which devices share the network", help=help)])
    if arguments.pipeline and arguments.output is not None:
        raise InputError([Diagnostic("partition", "`--output` does not go with `--pipeline`")])
    return _do_equal(arguments)


def _do_equal(arguments: argparse.Namespace) -> int:
    from ..backends.partition_text import partition_text, pipeline_text
    from ..partition_driver import partition, pipeline

    plan, text = (pipeline, pipeline_text) if arguments.pipeline else (partition, partition_text)
    found = plan(arguments.model, arguments.devices, arguments.device, arguments.memory, arguments.sizes)
    print(json.dumps(found, indent=2) + "\n" if arguments.json else text(found), end="")
    if arguments.output is not None:
        _write_shared(arguments, found)
    return 0


def _write_shared(arguments: argparse.Namespace, plan: dict[str, Any]) -> None:
    """The network in the folder that was asked for, as source that the devices of `plan` share."""
    import jax

    from ..program import compile

    jax.config.update("jax_platforms", "cpu")  # it is written here, and runs elsewhere
    jax.config.update("jax_num_cpu_devices", plan["devices"])
    program = compile(arguments.model, sizes=arguments.sizes, placement=plan)
    program.save(arguments.output, force=arguments.force)
    print(f"written to {arguments.output}", file=sys.stderr)


def _do_unlike(arguments: argparse.Namespace) -> int:
    from ..backends.op_placement_text import op_placement_text
    from ..ir.diagnostics import Diagnostic, Infeasible
    from ..partition_driver import place_ops

    try:
        found = place_ops(
            arguments.model,
            arguments.over,
            arguments.fleet,
            arguments.objective or "makespan",
            arguments.ends_at,
            arguments.sizes,
            arguments.time_limit,
            show_progress if sys.stderr.isatty() else None,
        )
    except Infeasible as error:
        if arguments.json:
            print(json.dumps(error.document, indent=2))
        raise
    for warning in found.warnings:
        print(coloured(Diagnostic("partition", warning, severity="warning").render()) + "\n", file=sys.stderr)
    text = op_placement_text(found.document)
    print(json.dumps(found.document, indent=2) + "\n" if arguments.json else text, end="")
    if arguments.output is not None:
        from ..backends.op_placement_files import op_placement_files
        from ..backends.writer import write_folder

        files = op_placement_files(found.document, text, found.pieces, found.piece_devices)
        write_folder(files, arguments.output, force=arguments.force)
        print(f"written to {arguments.output}", file=sys.stderr)
    return 0
