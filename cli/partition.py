"""`dovetail partition`: its arguments, and what it prints; what it asks for is imported when it is done."""

from __future__ import annotations

import argparse
import json

from .arguments import size_bytes, sizes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("model", metavar="MODEL", help="an .onnx, a network in .mlir, or a config.json of Hugging Face")
    parser.add_argument("--devices", type=int, required=True, metavar="N", help="how many devices share it")
    parser.add_argument("--device", required=True, metavar="NAME", help="of the catalogue, such as h100-sxm")
    parser.add_argument("--memory", type=size_bytes, metavar="N", help="of one device, in place of all that it has")
    help = "open sizes; of a config.json `batch`, and `tokens` or the `context` that one token follows"
    parser.add_argument("--sizes", type=sizes, metavar="NAME=N,...", help=help)
    parser.add_argument("--pipeline", action="store_true", help="stages of whole ops, one on each device")
    parser.add_argument("--json", action="store_true", help="print all as JSON, the way of every op too")
    parser.set_defaults(do=do)


def do(arguments: argparse.Namespace) -> int:
    """Print the partition; the exit code is 0."""
    from ..backends.partition_text import partition_text, pipeline_text
    from ..partition_driver import partition, pipeline

    plan, text = (pipeline, pipeline_text) if arguments.pipeline else (partition, partition_text)
    found = plan(arguments.model, arguments.devices, arguments.device, arguments.memory, arguments.sizes)
    print(json.dumps(found, indent=2) + "\n" if arguments.json else text(found), end="")
    return 0
