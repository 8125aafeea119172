"""Large scratchpad problems: what is found and proved within a limit, and whether the limit and the memory hold.

    python benchmarks/scratchpad_scale.py [--json results.json]

- stages: 40 random networks of 33 operators, one after the other, tensors of 98K, 49K and 24.5K as the network narrows;
  the same at a size that almost nothing needs to leave.
- cells: 10,000 operators in cells that read the outputs of the two cells before, as architecture search finds them.
- dense: 300 operators, each of which reads four earlier ones.

Each row is solved in a process of its own, whose greatest memory is told; loading compiled engines is not counted.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from scratchpad_search import random_network

from dovetail.planner.scratchpad.problem import Operator, ScratchpadProblem, Tensor

KIB = 1024


def stages(size_kib: float) -> ScratchpadProblem:
    """40 stages of 33 operators; stages 0-12 have tensors of 98K, 13-25 of 49K, the others of 24.5K."""
    network = random_network(32, 9, 5, 40)
    unit = 98 * KIB

    def of_stage(tensor: Tensor) -> Tensor:
        stage = 0 if tensor.name == "x" else int(tensor.name[1:].replace("out", "n").split("n")[0])
        return replace(tensor, bytes=unit // (1 if stage < 13 else 2 if stage < 26 else 4))

    return replace(network, tensors=tuple(map(of_stage, network.tensors)), size_bytes=int(size_kib * KIB))


def cells(count: int = 10_000, seed: int = 1) -> ScratchpadProblem:
    """Cells of five blocks of three operators and one that joins them; little more than the largest operator needs."""
    r = random.Random(seed)
    tensors, operators = [Tensor("x", 64 * KIB, "input")], []

    def add(inputs: tuple[int, ...], size: int) -> int:
        tensors.append(Tensor(f"t{len(tensors)}", size))
        operators.append(Operator(f"o{len(operators)}", inputs, (len(tensors) - 1,)))
        return len(tensors) - 1

    before = [0, 0]
    while len(operators) < count:
        size, at_hand, made = r.choice([16, 24, 32]) * KIB, [*before], []
        for block in range(5):
            sides = [add((before[side] if block < 2 else r.choice(at_hand),), size) for side in (0, 1)]
            made.append(add(tuple(sides), size))
            at_hand.append(made[-1])
        before = [before[1], add(tuple(made), 2 * size)]
    problem = ScratchpadProblem("cells", tuple(tensors), tuple(operators), 0)
    return problem.with_size(int(problem.least_size_bytes * 1.05))


def dense(count: int = 300, seed: int = 1) -> ScratchpadProblem:
    """Each operator reads up to four earlier tensors, of 1 to 8 parts of 128 bytes."""
    r = random.Random(seed)
    tensors, operators = [Tensor("x", 128, "input")], []
    for i in range(count):
        read = tuple(sorted(r.sample(range(len(tensors)), min(4, len(tensors)))))
        tensors.append(Tensor(f"t{i}", 128 * r.randint(1, 8)))
        operators.append(Operator(f"o{i}", read, (i + 1,)))
    problem = ScratchpadProblem("dense", tuple(tensors), tuple(operators), 0)
    return problem.with_size(int(problem.least_size_bytes * 1.5))


ROWS: tuple[tuple[str, Callable[[], ScratchpadProblem], float], ...] = (
    ("stages", lambda: stages(882), 5.0),
    ("stages", lambda: stages(882), 60.0),
    ("stages", lambda: stages(1519), 24.0),
    ("cells", cells, 15.0),
    ("dense", dense, 4.0),
)
"""Name, problem, time limit [s]."""


def solve(row: int) -> dict[str, float | str]:
    """One row, in this process."""
    from dovetail.planner.scratchpad.search import prepare
    from dovetail.planner.scratchpad.solve import plan_scratchpad

    name, make, limit_s = ROWS[row]
    prepare()
    problem = make()
    start = time.perf_counter()
    plan = plan_scratchpad(problem, time_limit_s=limit_s)
    return {
        "graph": name,
        "operators": len(problem.operators),
        "size_kib": problem.size_bytes / KIB,
        "limit_s": limit_s,
        "seconds": time.perf_counter() - start,
        "found_kib": plan.noncompulsory_bytes / KIB,
        "bound_kib": plan.lower_bound_bytes / KIB,
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = []
    print(f"{'graph':8}{'ops':>7}{'M [KiB]':>10}{'limit s':>9}{'s':>8}{'found':>11}{'bound':>11}{'MiB':>7}")
    for row in range(len(ROWS)):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            each = pool.apply(solve, (row,))
        results.append(each)
        figures = f"{each['limit_s']:9.0f}{each['seconds']:8.2f}{each['found_kib']:11.1f}{each['bound_kib']:11.1f}"
        print(
            f"{each['graph']:8}{each['operators']:7}{each['size_kib']:10.1f}{figures}{each['memory_mib']:7.0f}",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
