"""
How long placement takes, from a voice agent to graphs of a thousand nodes, each in a process of its own.

    python benchmarks/placement.py [--case 50x30] [--limit S] [--seeds 1 2] [--patience S] [--json results.json]

Graphs are drawn with a fixed seed (`workflow`): chains, forks that join, routers and loops of language models, tools,
lookups and work on CPUs. Devices are those of the catalogue. The gap is what plan.json states. A case that takes more
processor time or memory than it may is ended, and said to be. The peer is a figure that was measured of aiconfigurator
0.12 for one query of one model on one kind of device, not a run here: 26 s and 312 MB.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PEER_S, PEER_MB = 26.0, 312.0
MODELS = ("llama-3.1-8b", "llama-3.1-70b", "qwen3-8b", "qwen3-32b")
SERVERS = (
    "h100-sxm", "h100-pcie", "h100-nvl", "h200-sxm", "gh200", "b200-sxm", "b300-sxm", "gb200", "rtx-pro-6000-server",
    "a40", "a100-sxm", "a100-pcie", "a30", "v100", "t4", "l4", "l40s", "rtx-4090", "mi300x", "mi325x", "mi355x",
    "gaudi3", "tpu-v5p", "tpu-v6e", "tpu-v7",
)  # fmt: skip
HOSTS = ("epyc-9554", "epyc-9965", "xeon-8480", "xeon-6980p", "graviton4")
MOST_ROUTERS, MOST_LOOPS = 3, 2
MOST_IN_A_PART = 16
"""Nodes that `grow` adds at most."""
MOST_BYTES = 6 * 2**30
"""Memory that a case may take."""
HEADS = ("case", "seed", "pieces", "pools", "options", "status", "gap", "solver, processor s", "process, processor s",
         "wall s", "peak MB", "aim s", "26 s / ours", "312 MB / ours")  # fmt: skip
Json = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One thing to plan, and what is aimed at."""

    nodes: int
    """0: examples/voice_agent."""
    aim_s: float
    """Of the solver for examples/voice_agent, of the whole process for the others."""
    gap: float = 1e-6
    """Relative gap to the best plan at which the search may end."""
    rate: str = "5 req/s"


CASES = {
    "voice": Case(0, 1.0),
    "10x30": Case(10, 10.0),
    "50x30": Case(50, 10.0, 0.01),
    "50x30-busy": Case(50, 10.0, 0.01, "100 req/s"),
    "1000x30": Case(1000, 120.0, 0.01),
}


class Workflow:
    """A graph that grows at its end, one part after the other."""

    def __init__(self, seed: int) -> None:
        self.r = random.Random(seed)
        self.nodes: dict[str, Json] = {}
        self.edges: list[Json] = []
        self.end = self.node()
        self.routers = self.loops = 0

    def node(self, kind: str | None = None) -> str:
        """A new node of a kind, drawn where none is given; its name."""
        r, name = self.r, f"n{len(self.nodes)}"
        kind = kind or r.choices(("llm", "tool", "compute", "lookup"), (3, 3, 2, 2))[0]
        ms = r.choice((50, 100, 300))
        figures: Json = {
            "llm": {"model": r.choice(MODELS), "precision": r.choice(("fp8", "bf16")), "slo": {"ttft": "2 s"},
                    "prompt_tokens": r.choice((500, 1000, 2000)), "output_tokens": r.choice((50, 150, 300))},
            "tool": {"latency": {"mean": f"{ms} ms", "p95": f"{3 * ms} ms"}, "cpus": r.choice((0.5, 1)),
                     "memory": "200 MiB"},
            "compute": {"cpu": f"{r.choice((20, 50, 200))} ms"},
            "lookup": {"vectors": r.choice((100_000, 1_000_000)), "dimensions": 768, "top_k": 5, "index": "hnsw"},
            "router": {},
        }  # fmt: skip
        self.nodes[name] = {"kind": kind, **figures[kind]}
        return name

    def edge(self, source: str, target: str, **how: Any) -> None:
        self.edges.append({"from": source, "to": target, **how})

    def chain(self, start: str, length: int, **how: Any) -> str:
        """Nodes one after the other behind `start`; the last of them."""
        for _ in range(length):
            following = self.node()
            self.edge(start, following, **how)
            start, how = following, {}
        return start

    def grow(self) -> None:
        """One more part: a chain, a fork whose branches join, a router, or a loop of a model and its tool."""
        part = self.r.choices(("chain", "fork", "router", "loop"), (3, 4, 1, 1))[0]
        if part == "router" and self.routers < MOST_ROUTERS:
            self.routers += 1
            router = self.node("router")
            self.edge(self.end, router)
            ends = [self.chain(router, self.r.randint(1, 3), probability=p) for p in (0.7, 0.3)]
        elif part == "loop" and self.loops < MOST_LOOPS:
            self.loops += 1
            model, tool = self.node("llm"), self.node("tool")
            self.edge(self.end, model)
            self.edge(model, tool, probability=0.4, max_visits=2)
            self.edge(tool, model)
            ends = [model]
        elif part == "fork":
            ends = [self.chain(self.end, self.r.randint(1, 3)) for _ in range(self.r.randint(2, 5))]
        else:
            ends = [self.chain(self.end, self.r.randint(2, 5))]
        self.end = self.node() if len(ends) > 1 or part == "loop" else ends[0]
        if self.end not in ends:
            for each in ends:
                self.edge(each, self.end)


def workflow(nodes: int, seed: int, rate: str = "5 req/s") -> Json:
    """graph.yaml of so many nodes; its end-to-end bound leaves room, its first outputs are bounded."""
    w = Workflow(seed)
    while len(w.nodes) < nodes - MOST_IN_A_PART:
        w.grow()
    w.chain(w.end, nodes - len(w.nodes))
    slo = {"end_to_end": f"{20 + 4 * nodes} s", "percentile": 95, "tbt": "60 ms"}
    return {"version": 1, "name": f"drawn-{nodes}", "nodes": w.nodes, "edges": w.edges,
            "workload": {"rate": rate}, "slo": slo, "objective": "cost"}  # fmt: skip


def fleet(seed: int) -> Json:
    """fleet.yaml of 30 device types: 25 that run language models and 5 hosts; every third has a count."""
    r = random.Random(seed)
    devices: Json = {}
    for i, name in enumerate((*SERVERS, *HOSTS)):
        rent = 1 + 0.1 * r.randrange(20) if name in HOSTS else 0.8 + 0.1 * r.randrange(50)
        devices[name] = {"model": name, "price": {"rent": f"{rent:.1f} USD/h"}}
        if i % 3 == 0:
            devices[name]["count"] = f"0..{r.choice((16, 64, 400))}"
    network = {"bandwidth": "100 Gbit/s", "latency": "20 us"}
    return {"devices": devices, "site": {"electricity": "0.2 USD/kWh", "pue": 1.2, "network": network}}


def measure(case: str, seed: int, limit_s: float | None) -> Json:
    """Plan one case in this process: seconds of each stage, processor time and peak memory of the process."""
    from dovetail.driver import read_graph_and_fleet
    from dovetail.ir.read.fleet import parse_fleet
    from dovetail.ir.read.graph import parse_graph
    from dovetail.planner.answers.answer import asking
    from dovetail.planner.parts.large import goes_by_parts
    from dovetail.planner.posing.pose import pose

    began = at = time.perf_counter()
    stages: dict[str, float] = {}

    def done(stage: str) -> None:
        nonlocal at
        stages[stage], at = time.perf_counter() - at, time.perf_counter()

    nodes = CASES[case].nodes
    if nodes:
        graph = parse_graph(workflow(nodes, seed, CASES[case].rate))
        devices = parse_fleet(fleet(seed))
        folder = ROOT
    else:
        graph, devices, folder = read_graph_and_fleet((ROOT / "examples/voice_agent",), None, {})
    done("read")
    posed = pose(graph, devices, folder)
    if not goes_by_parts(posed):
        _ = posed.problem  # parts have no pools before they are solved
    done("candidates")
    cpu = time.process_time()
    answer = asking((graph, devices), "highs", lambda *known: None, CASES[case].gap)(posed, None, limit_s)
    posed, result = answer.posed, answer.result
    done("solve")
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "case": case, "seed": seed, "pieces": len(posed.problem.pieces), "nodes": len(graph.document["nodes"]),
        "device_types": len(posed.problem.devices), "pools": len(posed.problem.pools),
        "options": len(posed.problem.options), "ways": len(posed.problem.scenarios), "status": result.status,
        "usd_per_hour": result.objective, "gap": result.gap, "variables": result.stats.variables,
        "cuts": result.stats.cuts, "stages_s": stages, "solve_cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - began, "cpu_s": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss * 1024 / 1e6, "limit_s": limit_s,
    }  # fmt: skip


def fresh(case: str, seed: int, limit_s: float | None, patience_s: int) -> Json | None:
    """`measure` in a process of its own; None where it was ended."""
    command = [sys.executable, __file__, "--inside", case, "--seeds", str(seed)]
    command += [] if limit_s is None else ["--limit", str(limit_s)]

    def restrict() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (patience_s, patience_s))
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))

    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, preexec_fn=restrict, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def shown(row: Json, aim_s: float) -> list[str]:
    """The cells of one line of the table."""
    stages = ", ".join(f"{name} {s:.1f}" for name, s in row["stages_s"].items())
    return [
        *(str(row[key]) for key in ("case", "seed", "pieces", "pools", "options", "status")),
        "none" if row["gap"] is None else f"{100 * row['gap']:.4g} %",
        f"{row['solve_cpu_s']:.2f}", f"{row['cpu_s']:.1f}", f"{row['wall_s']:.1f} ({stages})", f"{row['peak_mb']:.0f}",
        f"{aim_s:.0f}", f"{PEER_S / row['cpu_s']:.2f}", f"{PEER_MB / row['peak_mb']:.2f}",
    ]  # fmt: skip


def main() -> None:
    """Run the cases one after the other, print a table and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=CASES, nargs="+", default=list(CASES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--limit", type=float, help="[s] for the solver")
    parser.add_argument("--patience", type=int, default=600, help="[s] of processor time for a case")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--inside", choices=CASES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        print(json.dumps(measure(given.inside, given.seeds[0], given.limit)))
        return
    print("| " + " | ".join(HEADS) + " |\n" + "|---" * len(HEADS) + "|")
    rows: list[Json] = []
    for name in given.case:
        case = CASES[name]
        for seed in given.seeds if case.nodes else [0]:
            row = fresh(name, seed, given.limit, given.patience)
            cells = shown(row, case.aim_s) if row else [name, str(seed), f"ended at {given.patience} s or its memory"]
            print("| " + " | ".join(cells) + " |", flush=True)
            rows += [row] if row else []
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
