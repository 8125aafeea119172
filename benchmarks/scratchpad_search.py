"""Order and eviction by search: what is found and proved, and how long it takes, beside figures measured before.

    python benchmarks/scratchpad_search.py GRAPHS [--runs 3] [--time-limit 20] [--random-time-limit 60]
        [--json results.json]

GRAPHS is a folder of tensor graphs. The figures beside are a C++ prototype's, on one core. The first run of a process
is not counted: it loads compiled code. Watts-Strogatz graphs follow, unit tensors of 24.5K, each node an operator
that reads its neighbours of lower number (the graph's input if none), and one operator that reads all that nobody
reads.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path

from dovetail.planner.scratchpad.problem import Operator, ScratchpadProblem, Tensor
from dovetail.planner.scratchpad.read import read_problem
from dovetail.planner.scratchpad.search import schedule

KIB = 1024
UNIT = 49 * KIB // 2
ROWS = (
    ("light_densenet121", 1568.0, 2548.0, 0.13),
    ("light_densenet121", 1813.0, 1372.0, 0.13),
    ("light_shufflenet", 686.0, 36.75, 0.04),
    ("transformer12", 480.0, 4512.0, 0.04),
    ("randwire32x1_s1", 147.0, 637.0, 0.01),
    ("NASNetMobile", 777.03125, 2262.03125, 0.14),
    ("NASNetMobile", 1083.0, 0.0, 0.01),
)
"""Graph, scratchpad [KiB], optimum [KiB], the prototype's seconds."""
RANDOM = ((32, 6, 1, 1), (32, 6, 2, 1), (32, 6, 3, 1), (48, 8, 1, 1), (48, 8, 2, 1), (64, 10, 1, 1), (32, 6, 5, 40))
"""Nodes, slots, seed, stages one after the other."""


def small_world(r: random.Random, n: int, k: int, p: float) -> list[tuple[int, int]]:
    """A connected Watts-Strogatz graph: a ring in which each node knows k others, each edge rewired with chance p."""
    while True:
        near: list[set[int]] = [{(i + d) % n for d in range(-(k // 2), k // 2 + 1) if d} for i in range(n)]
        for d in range(1, k // 2 + 1):
            for i in range(n):
                j = (i + d) % n
                if r.random() < p and len(near[i]) < n - 1:
                    new = r.choice([x for x in range(n) if x != i and x not in near[i]])
                    if j in near[i]:
                        near[i].discard(j)
                        near[j].discard(i)
                        near[i].add(new)
                        near[new].add(i)
        reached, rest = {0}, [0]
        while rest:
            fresh = near[rest.pop()] - reached
            reached |= fresh
            rest += fresh
        if len(reached) == n:
            return [(a, b) for a in range(n) for b in near[a] if a < b]


def random_network(n: int, slots: int, seed: int, stages: int) -> ScratchpadProblem:
    """Stages of small worlds (k = 4, p = 0.75) in which every operator fits into the slots."""
    r = random.Random(seed)
    tensors, operators, feed = [Tensor("x", UNIT, "input")], [], 0
    for s in range(stages):
        while True:
            edges = small_world(r, n, 4, 0.75)
            reads = [[a for a, b in edges if b == v] for v in range(n)]
            last = sorted(set(range(n)) - {a for a, _ in edges})
            if max(map(len, [*reads, last])) < slots:
                break
        base = len(tensors)
        for v in range(n):
            tensors.append(Tensor(f"s{s}n{v}", UNIT))
            operators.append(Operator(f"s{s}n{v}", tuple(base + a for a in reads[v]) or (feed,), (base + v,)))
        feed = len(tensors)
        tensors.append(Tensor(f"s{s}out", UNIT, "output" if s == stages - 1 else "intermediate"))
        operators.append(Operator(f"s{s}out", tuple(base + v for v in last), (feed,)))
    return ScratchpadProblem(f"ws{n}x{stages}_{seed}", tuple(tensors), tuple(operators), slots * UNIT)


def measure(problem: ScratchpadProblem, runs: int, limit_s: float) -> dict[str, float]:
    """What is found and proved [KiB], and the least seconds of so many runs."""
    times, found, bound = [], 0, 0
    for _ in range(runs):
        start = time.perf_counter()
        residency, bound = schedule(problem, time_limit_s=limit_s)
        times.append(time.perf_counter() - start)
        found = residency.noncompulsory_bytes
    return {"found_kib": found / KIB, "bound_kib": bound / KIB, "seconds": min(times)}


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graphs", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--time-limit", type=float, default=20.0)
    parser.add_argument("--random-time-limit", type=float, default=60.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    schedule(random_network(32, 6, 2, 1), time_limit_s=options.time_limit)
    results = []
    print(f"{'graph':24}{'ops':>6}{'M':>9}{'found':>11}{'proved':>11}{'optimum':>11}{'s':>8}{'C++ s':>7}  KiB")
    for name, size, optimum, prototype_s in ROWS:
        problem = read_problem(options.graphs / f"{name}.json", int(size * KIB))
        row = measure(problem, options.runs, options.time_limit)
        results.append({"graph": name, "size_kib": size, "optimum_kib": optimum, "prototype_s": prototype_s, **row})
        figures = (
            f"{row['found_kib']:11.2f}{row['bound_kib']:11.2f}{optimum:11.2f}{row['seconds']:8.2f}{prototype_s:7.2f}"
        )
        print(f"{name:24}{len(problem.operators):6}{size:9.0f}{figures}", flush=True)
    for n, slots, seed, stages in RANDOM:
        problem = random_network(n, slots, seed, stages)
        row = measure(problem, 1, options.random_time_limit)
        results.append({"graph": problem.name, "size_kib": slots * UNIT / KIB, **row})
        figures = f"{row['found_kib']:11.2f}{row['bound_kib']:11.2f}{'':11}{row['seconds']:8.2f}"
        print(f"{problem.name:24}{len(problem.operators):6}{slots * UNIT / KIB:9.0f}{figures}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
