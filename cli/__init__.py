"""The commands. Arguments are read here; the work is done elsewhere, imported when it is asked for."""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..version import VERSION
from .arguments import add_catalogue, add_replanning, count, percentage, positive, sizes
from .interrupts import raise_interrupts
from .terminal import coloured, ended, progress

if TYPE_CHECKING:
    from .. import driver

OBJECTIVES = ("cost", "latency", "energy", "carbon", "throughput", "tokens_per_usd")
PICTURES = ("dot", "mermaid", "svg")
GC_THRESHOLD = 100_000
"""Planning makes many small objects that live to the end: looking for garbage among them takes a tenth of the time."""
DONE, WRONG_INPUT = 0, 1


def plan() -> int:
    """`plan GRAPH...`: the same as `dovetail plan`."""
    parser = _plan_parser(argparse.ArgumentParser(prog="plan", description=PLAN_ABOUT))
    return ended(_run(parser, sys.argv[1:]))


def main(argv: Sequence[str] | None = None) -> int:
    """`dovetail COMMAND ...`."""
    parser = argparse.ArgumentParser(
        prog="dovetail", description="Plan agent workflows and neural networks on mixed hardware."
    )
    parser.add_argument("--version", action="version", version=f"dovetail {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, about, add_arguments in COMMANDS:
        add_arguments(commands.add_parser(name, help=about, description=about))
    return ended(_run(parser, sys.argv[1:])) if argv is None else _run(parser, argv)


def _run(parser: argparse.ArgumentParser, argv: Sequence[str]) -> int:
    """Parse and do; bad input ends in its text and exit code 1, never in a traceback."""
    # Who ends us from elsewhere gets what Ctrl-C gets: the best so far.
    raise_interrupts()
    try:
        return _done(parser.parse_args(argv))
    except KeyboardInterrupt as interrupt:
        print(": ".join(["interrupted", *map(str, interrupt.args)]), file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output went away (`plan ... | head`): nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:  # a full disk behind stdout, a working directory that is gone
        print(f"{error.filename or 'output'}: {error.strerror}", file=sys.stderr)
        return WRONG_INPUT


def _done(arguments: argparse.Namespace) -> int:
    """The exit code of a command, after what it found wrong in its input was said."""
    from ..ir.diagnostics import DovetailError

    try:
        return arguments.do(arguments)
    except DovetailError as error:
        print(coloured(str(error)), file=sys.stderr)
        return WRONG_INPUT


PLAN_ABOUT = "Say where each piece of GRAPH runs, how many devices it takes and what that costs."


def _plan_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument(
        "graph", nargs="+", metavar="GRAPH", help="graph.yaml, a folder of one, an .onnx or a config.json"
    )
    parser.add_argument("--fleet", metavar="FILE", help="fleet.yaml, in place of the one that the graph names")
    add_catalogue(parser)
    _add_sizes(parser)
    parser.add_argument("-o", "--output", metavar="DIR", help="write plan.json, report, code and manifests here")
    parser.add_argument("--objective", choices=OBJECTIVES, help="what is to be best, in place of the graph's choice")
    add_replanning(parser)
    help = "plans that trade two objectives against each other, such as cost,latency"
    parser.add_argument("--pareto", metavar="OBJECTIVE,OBJECTIVE", help=help)
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print plan.json alone on stdout")
    shown.add_argument("--emit", choices=PICTURES, help="print a picture of the plan alone on stdout")
    parser.add_argument("--time-limit", type=positive, metavar="S", help="stop after S seconds with the best so far")
    help = "stop when the plan is proved to be within P percent of the best (0.0001 unless said)"
    parser.add_argument("--gap", type=percentage, metavar="P", help=help)
    parser.add_argument("--solver", choices=("highs", "cbc"), default="highs", help="highs unless said")
    help = "say what the plan costs, and which is best, where each input by itself is off"
    parser.add_argument("--sensitivity", action="store_true", help=help)
    help = "say what moving a bound saves, the next-best plan, and why devices are not used"
    parser.add_argument("--explain", action="store_true", help=help)
    help = "how far off, in percent (20 unless said)"
    parser.add_argument("--off", type=percentage, default=20.0, metavar="PERCENT", help=help)
    parser.add_argument("--force", action="store_true", help="replace DIR even if it was not written by plan")
    parser.set_defaults(do=_do_plan)
    return parser


def _add_sizes(parser: argparse.ArgumentParser) -> None:
    help = "what the network leaves open: batch=1,tokens=512"
    parser.add_argument("--sizes", type=sizes, metavar="NAME=N,...", help=help)


def _do_plan(arguments: argparse.Namespace) -> int:
    gc.set_threshold(GC_THRESHOLD)
    if arguments.pareto is not None:
        from .pareto import do_pareto

        return do_pareto(arguments)
    with progress() as told:
        result = _planned(arguments, told)
    for warning in result.diagnostics if arguments.json or arguments.emit else ():  # the text has them itself
        print(coloured(warning.render()) + "\n", file=sys.stderr)
    if arguments.emit:
        print(result.picture(arguments.emit), end="")
    else:
        print(result.to_json() if arguments.json else result.to_text(), end="")
    if arguments.output is not None:
        result.write(arguments.output, force=arguments.force)
        print(f"written to {arguments.output}", file=sys.stderr)
    return DONE


def _planned(arguments: argparse.Namespace, told: Callable[[str], None]) -> driver.Plan:
    """The plan, with what is asked about it, in one time limit."""
    from .. import driver
    from ..ir.diagnostics import Diagnostic, Infeasible, InputError

    started, limit = time.monotonic(), arguments.time_limit
    try:
        result = driver.plan(
            *arguments.graph,
            fleet=arguments.fleet,
            objective=arguments.objective,
            time_limit_s=limit,
            solver=arguments.solver,
            on_progress=told,
            sizes=arguments.sizes,
            catalogue=arguments.catalogue,
            previous=arguments.previous,
            over_s=arguments.over,
            lost=dict(arguments.lost),
            gap=None if arguments.gap is None else arguments.gap / 100,
        )
    except Infeasible as error:
        if arguments.json:
            print(json.dumps(error.document, indent=2, ensure_ascii=False))
        raise
    if "batch" in result.document and arguments.emit:
        raise InputError([Diagnostic("unsupported", "a picture of a batch (`--emit`) is not supported yet")])

    def left() -> float | None:
        return None if limit is None else max(0.0, limit - (time.monotonic() - started))

    if arguments.sensitivity:
        result = result.with_sensitivity(arguments.off / 100, left(), arguments.solver, told)
    if arguments.explain:
        result = result.with_explanation(left(), arguments.solver, told)
    return result


def _explain_arguments(parser: argparse.ArgumentParser) -> None:
    from .explain import add_arguments

    add_arguments(parser)


def _check_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="PLAN", help="plan.json, a folder that holds one, or a graph.yaml to lint")
    parser.add_argument(
        "--graph", metavar="G", help="compare the plan with this graph.yaml, or the model of a scratchpad plan"
    )
    parser.add_argument("--fleet", metavar="F", help="compare the plan's hash with this fleet.yaml")
    parser.set_defaults(do=_do_check)


def _do_check(arguments: argparse.Namespace) -> int:
    from ..check_driver import check

    found = check(arguments.file, graph=arguments.graph, fleet=arguments.fleet)
    for diagnostic in found:
        print(coloured(diagnostic.render()) + "\n", file=sys.stderr)
    wrong = sum(d.severity == "error" for d in found)
    print(f"{arguments.file}: {'ok' if not wrong else '1 fault' if wrong == 1 else f'{wrong} faults'}")
    return WRONG_INPUT if wrong else DONE


def _compile_arguments(parser: argparse.ArgumentParser) -> None:
    from .compile import add_arguments

    add_arguments(parser)


def _scratchpad_arguments(parser: argparse.ArgumentParser) -> None:
    from .scratchpad import add_arguments

    add_arguments(parser)


def _partition_arguments(parser: argparse.ArgumentParser) -> None:
    from .partition import add_arguments

    add_arguments(parser)


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="what `plan -o` or `compile -o` wrote")
    parser.add_argument("--requests", type=int, default=1, metavar="N", help="how many times (default 1)")
    parser.set_defaults(do=_do_run)


def _do_run(arguments: argparse.Namespace) -> int:
    from ..backends.run import run_folder

    return run_folder(Path(arguments.folder), requests=arguments.requests)


def _prefixes_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("calls", metavar="CALLS", help='lines of {"node": ..., "prompt": [token ids] or text}')
    parser.add_argument("--graph", metavar="GRAPH", help="nodes of one model in this graph look into one cache")
    parser.add_argument("--block", type=count, default=1, metavar="N", help="caches hold whole blocks of N tokens")
    parser.add_argument("--characters-per-token", type=positive, metavar="X", help="of prompts that are given as text")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON alone on stdout")
    parser.set_defaults(do=_do_prefixes)


def _do_prefixes(arguments: argparse.Namespace) -> int:
    from .. import driver
    from ..backends.prefixes_text import prefixes_text

    found = driver.prefixes(arguments.calls, arguments.graph, arguments.block, arguments.characters_per_token)
    print(json.dumps(found, indent=2, ensure_ascii=False) if arguments.json else prefixes_text(found).rstrip("\n"))
    return DONE


def _devices_arguments(parser: argparse.ArgumentParser) -> None:
    from .inventory import add_device_arguments

    add_device_arguments(parser)


def _models_arguments(parser: argparse.ArgumentParser) -> None:
    from .inventory import add_model_arguments

    add_model_arguments(parser)


def _estimate_arguments(parser: argparse.ArgumentParser) -> None:
    from .estimate import add_arguments

    add_arguments(parser)


def _calibrate_arguments(parser: argparse.ArgumentParser) -> None:
    from .calibrate import add_arguments

    add_arguments(parser)


def _schema_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=("graph", "fleet", "plan", "catalogue"))
    parser.set_defaults(do=_do_schema)


def _do_schema(arguments: argparse.Namespace) -> int:
    from .. import driver

    print(json.dumps(driver.schema(arguments.what), indent=2, sort_keys=True))
    return DONE


COMMANDS: tuple[tuple[str, str, Callable[[argparse.ArgumentParser], object]], ...] = (
    ("plan", PLAN_ABOUT, _plan_parser),
    ("explain", "Say what binds a plan, the next-best plan, and why devices are not used.", _explain_arguments),
    ("check", "Re-derive a plan's cost, memory and latency without the solver; or lint a graph.", _check_arguments),
    ("compile", "Turn a tensor graph into readable code that runs here.", _compile_arguments),
    ("run", "Run on this machine what was compiled or planned.", _run_arguments),
    ("partition", "Share one network among several devices: states, collectives, time.", _partition_arguments),
    ("scratchpad", "Schedule one tensor graph on one scratchpad: order, addresses and spills.", _scratchpad_arguments),
    ("prefixes", "Find the prompt prefixes that calls share, and what a cache saves.", _prefixes_arguments),
    ("devices", "List the devices of the catalogue, or every figure of one.", _devices_arguments),
    ("models", "List the models of the catalogue with their sources.", _models_arguments),
    ("estimate", "Predict latencies for the rows of a table, by the cost model alone.", _estimate_arguments),
    ("calibrate", "Fit a device's coefficients to measurements of your own.", _calibrate_arguments),
    ("schema", "Print the JSON schema of graph.yaml, fleet.yaml, plan.json or a catalogue.", _schema_arguments),
)
