"""`dovetail explain PLAN`: why a plan is as it is."""

from __future__ import annotations

import argparse
import json

from .arguments import positive
from .terminal import progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("plan", metavar="PLAN", help="plan.json, or a folder that holds one")
    parser.add_argument("--json", action="store_true", help="print the explanation as JSON alone on stdout")
    help = "stop after S seconds with what is known"
    parser.add_argument("--time-limit", type=positive, metavar="S", help=help)
    parser.add_argument("--solver", choices=("highs", "cbc"), default="highs", help="highs unless said")
    parser.set_defaults(do=_do_explain)


def _do_explain(arguments: argparse.Namespace) -> int:
    from ..explain_driver import explain

    with progress() as told:
        found = explain(arguments.plan, arguments.time_limit, arguments.solver, told)
    text = json.dumps(found.document, indent=2, ensure_ascii=False) + "\n" if arguments.json else found.to_text()
    print(text, end="")
    return 0
