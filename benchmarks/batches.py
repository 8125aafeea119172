"""Halo's six workloads as batches: planning time, makespan, and what other ways of running them take.

python benchmarks/batches.py [SIZE]
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time

from dovetail.ir.agent import graph_of
from dovetail.ir.read.inputs import read_inputs
from dovetail.planner.batches import baselines
from dovetail.planner.batches.pose import BatchSetting, pose_batch
from dovetail.planner.batches.problem import BatchProblem
from dovetail.planner.batches.simulate import percentiles, simulate
from dovetail.planner.batches.solve import BatchResult, fastest
from dovetail.planner.posing.pose import resolve_files

EXAMPLES = Path(__file__).parents[1] / "examples"
RUNS = 5
COLUMNS = (
    "workload", "plan [s]", "bound", "makespan", "simulated p50", "p95", "by operator", "one by one",
    "whole prompts", "no switching", "one model each", "tools apart", "no batching",
)  # fmt: skip


def problems_of(name: str, size: int, prefixes: bool = True) -> list[BatchProblem]:
    """The problems of an example, with `size` instances."""
    folder = EXAMPLES / name
    graph, fleet = read_inputs(folder / "graph.yaml")
    resolved = resolve_files(graph, fleet, folder)
    setting = BatchSetting(graph_of(graph.module), fleet.spec, resolved.devices, resolved.llms)
    return [replace(p, size=size) for p in pose_batch(setting, prefixes)]


def others(p: BatchProblem, result: BatchResult, whole_s: float) -> list[float]:
    """[s] by other ways, and without one of the means, as the columns have them."""
    return [
        baselines.by_operator_s(p),
        baselines.one_by_one_s(p),
        whole_s,
        baselines.least_s([baselines.without_switching(p)]),
        baselines.least_s([baselines.one_model_each(p)]),
        baselines.tools_apart_s(result),
        baselines.least_s([baselines.one_at_a_time(p)]),
    ]


def main() -> None:
    """Print a row for each workload: seconds, and for other ways the factor to the plan's makespan."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 2048
    print(f"{size} instances on three H200; other ways as multiples of the makespan\n")
    print("| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS))
    problems_of("halo_w1", 1)  # what is loaded once is not the plan's time
    for n in range(1, 7):
        wall, cpu = perf_counter(), process_time()
        problems = problems_of(f"halo_w{n}", size)
        result = fastest(problems)
        wall, cpu = perf_counter() - wall, process_time() - cpu
        assert result is not None
        whole = fastest(problems_of(f"halo_w{n}", size, prefixes=False))
        ways = others(result.problem, result, baselines.least_s([whole]))
        runs = percentiles([simulate(result.phases, seed) for seed in range(RUNS)])
        seconds = (result.bound_s, result.makespan_s, runs["p50"], runs["p95"])
        cells = [f"W{n}", f"{cpu:.2f}", *(f"{s:.0f}" for s in seconds)]
        print("| " + " | ".join([*cells, *(f"{s / result.makespan_s:.2f}" for s in ways)]) + " |", flush=True)


if __name__ == "__main__":
    main()
