"""`plan ... --pareto cost,latency`: the frontier of two objectives."""

from __future__ import annotations

import argparse
import json
import sys

from .terminal import progress

NOT_BESIDE = {
    "objective": "objective",
    "emit": "emit",
    "sensitivity": "sensitivity",
    "explain": "explain",
    "previous": "from",
    "lost": "lost",
}
"""Options that mean one plan, by where their value is."""


def do_pareto(arguments: argparse.Namespace) -> int:
    """Print the frontier, and write a folder for each of its plans where asked to."""
    from ..frontier_driver import pareto
    from ..ir.diagnostics import Diagnostic, Infeasible, InputError

    beside = [f"`--{name}`" for value, name in NOT_BESIDE.items() if getattr(arguments, value)]
    if beside:
        message = f"`--pareto` gives several plans, and {beside[0]} is for one"
        raise InputError([Diagnostic("pareto", message, help=f"leave {beside[0]} out")])
    try:
        with progress() as told:
            found = pareto(
                *arguments.graph,
                objectives=arguments.pareto,
                fleet=arguments.fleet,
                time_limit_s=arguments.time_limit,
                solver=arguments.solver,
                on_progress=told,
                sizes=arguments.sizes,
                catalogue=arguments.catalogue,
            )
    except Infeasible as error:
        if arguments.json:
            print(json.dumps(error.document, indent=2, ensure_ascii=False))
        raise
    print(found.to_json() if arguments.json else found.to_text(), end="")
    if arguments.output is not None:
        found.write(arguments.output, force=arguments.force)
        print(f"written to {arguments.output}", file=sys.stderr)
    return 0
