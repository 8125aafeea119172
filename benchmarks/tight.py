"""
How long graphs of medium size take whose latency binds, to a gap of 2 %.

    python benchmarks/tight.py [--nodes 25] [--kinds 10] [--seeds 1 2] [--times 1.1 1.5 2 4 | --shares 0.5 0.3]
                               [--limit 300] [--json results.json]

Graphs are drawn as in `placement.py`, with loops and routers, on ten kinds of device, or on more of its thirty; with
nodes times kinds of 300 and more they are planned by parts. The 95th percentile of a request is bounded to so many
times what the fastest plan found reaches, or to a share of what the cheapest one does. Rounds are plans that the solver
gave and the exact evaluation found too slow. Processor time is of the whole process but for finding that plan.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from placement import ROOT, fleet, workflow

DEVICES = (
    "h100-sxm", "h200-sxm", "b200-sxm", "a100-sxm", "l40s", "l4", "mi300x", "gaudi3", "epyc-9554", "xeon-8480",
)  # fmt: skip
FASTEST_S = 30.0
HEADS = ("nodes", "kinds", "seed", "times", "bound s", "pieces", "options", "status", "USD/h", "gap", "rounds",
         "processor s", "wall s", "peak MB")  # fmt: skip
Json = dict[str, Any]


def inputs(nodes: int, kinds: int, seed: int, end_to_end_s: float | None, goal: str = "cost") -> tuple[Json, Json]:
    """graph.yaml and fleet.yaml; without a bound of the 95th percentile `goal` is the objective."""
    graph, devices = workflow(nodes, seed), fleet(seed)
    names = [*DEVICES, *(name for name in devices["devices"] if name not in DEVICES)]
    devices["devices"] = {name: devices["devices"][name] for name in names[:kinds]}
    if end_to_end_s is None:
        graph["objective"], graph["slo"] = goal, {"tbt": "60 ms"}
    else:
        graph["slo"]["end_to_end"] = f"{end_to_end_s:.4f} s"
    return graph, devices


def measure(nodes: int, kinds: int, seed: int, end_to_end_s: float | None, limit_s: float, goal: str) -> Json:
    """Plan one graph in this process."""
    from dovetail.ir.read.fleet import parse_fleet
    from dovetail.ir.read.graph import parse_graph
    from dovetail.planner.answers.answer import asking
    from dovetail.planner.placement.times.summary import summarise
    from dovetail.planner.posing.pose import pose

    began = time.perf_counter()
    graph, devices = inputs(nodes, kinds, seed, end_to_end_s, goal)
    files = parse_graph(graph), parse_fleet(devices)
    posed = pose(*files, ROOT)
    answer = asking(files, "highs", lambda *known: None, 0.02)(posed, None, limit_s)
    problem, result = answer.posed.problem, answer.result
    reached = summarise(problem, result.placements).end_to_end["p95"] if result.placements else None
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "nodes": nodes, "kinds": kinds, "seed": seed, "bound_s": end_to_end_s, "pieces": len(problem.pieces),
        "options": len(problem.options), "status": result.status, "gap": result.gap, "rounds": result.stats.cuts,
        "p95_s": reached, "processor_s": used.ru_utime + used.ru_stime, "wall_s": time.perf_counter() - began,
        "peak_mb": used.ru_maxrss * 1024 / 1e6, "limit_s": limit_s, "usd_per_hour": result.objective,
    }  # fmt: skip


def fresh(given: argparse.Namespace, seed: int, limit_s: float, *more: str) -> Json:
    """`measure` in a process of its own."""
    of_graph = ["--nodes", str(given.nodes), "--kinds", str(given.kinds), "--seeds", str(seed)]
    command = [sys.executable, __file__, "--inside", *of_graph, "--limit", str(limit_s), *more]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def main() -> None:
    """Run the cases one after the other, print a table and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=25)
    parser.add_argument("--kinds", type=int, default=len(DEVICES), help="of device, 30 at most")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--times", type=float, nargs="+", default=[1.1, 1.5, 2.0, 4.0], help="the fastest plan's p95")
    parser.add_argument("--shares", type=float, nargs="+", help="of the cheapest plan's p95, in place of --times")
    parser.add_argument("--limit", type=float, default=300.0, help="[s] for candidates and the solver")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--bound", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--goal", default="cost", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        found = measure(given.nodes, given.kinds, given.seeds[0], given.bound, given.limit, given.goal)
        print(json.dumps(found))
        return
    print("| " + " | ".join(HEADS) + " |\n" + "|---" * len(HEADS) + "|")
    rows: list[Json] = []
    for seed in given.seeds:
        reached = fresh(given, seed, FASTEST_S, "--goal", "cost" if given.shares else "latency")["p95_s"]
        for times in (given.shares or given.times) if reached is not None else ():
            row = fresh(given, seed, given.limit, "--bound", str(times * reached)) | {"times": times}
            print("| " + " | ".join(cells(row)) + " |", flush=True)
            rows.append(row)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def cells(row: Json) -> list[str]:
    """Of the printed table."""
    gap = "none" if row["gap"] is None else f"{100 * row['gap']:.2g} %"
    usd = "none" if row["usd_per_hour"] is None else f"{row['usd_per_hour']:.2f}"
    found = [*(row[key] for key in ("nodes", "kinds", "seed", "times")), f"{row['bound_s']:.2f}", row["pieces"]]
    found += [row["options"], row["status"], usd, gap, row["rounds"]]
    return [str(each) for each in (*found, *(f"{row[key]:.0f}" for key in ("processor_s", "wall_s", "peak_mb")))]


if __name__ == "__main__":
    main()
