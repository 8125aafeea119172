"""`dovetail calibrate`: its arguments, and what it prints; what it asks for is imported when it is done."""

from __future__ import annotations

import argparse
import json

from .arguments import add_catalogue


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("device", metavar="DEVICE", help="of the catalogue, or of yours")
    help = "latencies of gemm, attention or comm, or serving points: columns as `estimate` takes them, and ms"
    parser.add_argument("measurements", metavar="MEASUREMENTS.csv", help=help)
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="catalogue of yours to keep it in; extended if it exists"
    )
    parser.add_argument("--json", action="store_true", help="print what was found as JSON alone on stdout")
    add_catalogue(parser)
    parser.set_defaults(do=do)


def do(arguments: argparse.Namespace) -> int:
    """Print what was found; the exit code is 0."""
    from ..backends.calibration_text import calibration_text
    from ..calibrate_driver import calibrate

    found = calibrate(arguments.device, arguments.measurements, arguments.output, arguments.catalogue)
    print(json.dumps(found, indent=2, ensure_ascii=False) + "\n" if arguments.json else calibration_text(found), end="")
    return 0
