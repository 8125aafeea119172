"""
Placement of random graphs and of real networks: ours against HEFT, and against the exact optimum where it is proved.

    python benchmarks/graph_placement.py [--limit 10] [--graphs 4] [--skip-networks] [--json results.json]

Random graphs are drawn as in the HEFT paper (Topcuoglu, Hariri, Wu 2002, section 6.1): v pieces in about sqrt(v)/alpha
levels; beta is the spread of a piece's times over devices, CCR the mean transfer over the mean time. Fork-join graphs
and series-parallel graphs have the same times. Transfers have no bound on links (as in the paper), or share a port in
and a port out of each device. Networks are placed over a CPU, a GPU and an NPU in one host, with both ends on the CPU.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from math import sqrt
from pathlib import Path
from statistics import fmean
from typing import Any

import onnx

from dovetail.partition_driver import place_ops
from dovetail.planner.op_placement.check import pipeline_faults, schedule_faults
from dovetail.planner.op_placement.lists import heft
from dovetail.planner.op_placement.problem import Device, OpPlacementProblem, Piece, Pipeline, Route, Schedule, Tensor
from dovetail.planner.op_placement.solve import pipelined_on, place

DEVICES = 3
MEAN_NS = 1000
SIZES = (10, 20, 40, 100, 1000)
CCRS = (0.1, 1.0, 5.0)
BETA, ALPHA = 1.0, 1.0
OVER = "epyc-9554,h100-sxm,tpu-v5e"
LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
BERT = {
    "architectures": ["BertModel"], "model_type": "bert", "vocab_size": 30522, "hidden_size": 768,
    "num_hidden_layers": 1, "num_attention_heads": 12, "intermediate_size": 3072, "hidden_act": "gelu",
    "max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "torch_dtype": "bfloat16",
}  # fmt: skip
MIXTRAL = {
    "architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "vocab_size": 32000, "hidden_size": 4096,
    "num_hidden_layers": 1, "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,
    "hidden_act": "silu", "max_position_embeddings": 32768, "rms_norm_eps": 1e-5, "rope_theta": 1e6,
    "num_local_experts": 8, "num_experts_per_tok": 2, "torch_dtype": "bfloat16", "tie_word_embeddings": False,
}  # fmt: skip
Edges = list[tuple[int, int]]


def layered(n: int, r: random.Random) -> Edges:
    """Levels of random width; each piece reads one to four of the level before."""
    level = sorted(r.randrange(max(1, round(sqrt(n) / ALPHA))) for _ in range(n))
    edges = []
    for v in range(n):
        before = [u for u in range(v) if level[u] < level[v]]
        near = [u for u in before if level[u] == level[before[-1]]] if before else []
        edges += [(u, v) for u in r.sample(near, min(len(near), r.randint(1, 4)))]
    return edges


def fork_join(n: int, r: random.Random) -> Edges:
    """Forks of two to eight pieces, which come together in one that forks again."""
    edges, neck = [], 0
    while neck + 3 < n:
        width = min(r.randint(2, 8), n - neck - 2)
        edges += [edge for i in range(neck + 1, neck + 1 + width) for edge in ((neck, i), (i, neck + 1 + width))]
        neck += 1 + width
    return [*edges, *((i, i + 1) for i in range(neck, n - 1))]


def series_parallel(n: int, r: random.Random) -> Edges:
    """An edge is drawn out by a piece, or gets one beside it, until there are `n`."""
    edges, count = [(0, 1)], 2
    while count < n:
        u, v = edges[at := r.randrange(len(edges))]
        if r.random() < 0.5:
            edges.pop(at)
        edges += [(u, count), (count, v)]
        count += 1
    after: dict[int, list[int]] = {i: [] for i in range(n)}
    for u, v in edges:
        after[u].append(v)
    order: list[int] = []

    def visit(u: int) -> None:
        stack = [(u, iter(after[u]))]
        seen.add(u)
        while stack:
            at, rest = stack[-1]
            following = next((v for v in rest if v not in seen), None)
            if following is None:
                order.append(at)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(after[following])))

    seen: set[int] = set()
    visit(0)
    place_of = {u: k for k, u in enumerate(reversed(order))}
    return sorted({(place_of[u], place_of[v]) for u, v in edges})


SHAPES: dict[str, Callable[[int, random.Random], Edges]] = {
    "layered": layered, "fork-join": fork_join, "series-parallel": series_parallel,
}  # fmt: skip


def draw(shape: str, n: int, ccr: float, linked: bool, seed: int) -> OpPlacementProblem:
    """A graph with the times and transfers of the paper."""
    r = random.Random(f"{shape} {n} {ccr} {seed}")
    pieces = []
    for i in range(n):
        mean = r.uniform(0, 2 * MEAN_NS)
        times = (max(1, round(r.uniform(mean * (1 - BETA / 2), mean * (1 + BETA / 2)))) for _ in range(DEVICES))
        pieces.append(Piece(f"n{i}", tuple(times)))
    edges = SHAPES[shape](n, r)
    tensors = (Tensor(f"{u}-{v}", u, (v,), round(r.uniform(0, 2 * MEAN_NS * ccr))) for u, v in edges)
    pairs = [(a, b) for a in range(DEVICES) for b in range(DEVICES) if a != b]
    routes = {(a, b): Route(1e9, 0, (a, DEVICES + b) if linked else ()) for a, b in pairs}
    links = tuple(f"{way} {d}" for way in ("out", "in") for d in range(DEVICES)) if linked else ()
    return OpPlacementProblem(
        tuple(pieces), tuple(tensors), tuple(Device(f"d{d}") for d in range(DEVICES)), routes, links
    )


def random_rows(limit_s: float, graphs: int, sizes: Sequence[int]) -> Iterator[dict[str, Any]]:
    """A row for each shape, size, CCR, kind of links and objective."""
    for shape in SHAPES:
        for n in sizes:
            for ccr in CCRS:
                for linked in (False, True):
                    problems = [draw(shape, n, ccr, linked, k) for k in range(graphs if n < 1000 else 1)]
                    for pipelined in (False, True):
                        yield row_of(shape, n, ccr, linked, pipelined, problems, limit_s)


def row_of(
    shape: str, n: int, ccr: float, linked: bool, pipelined: bool, problems: list[OpPlacementProblem], limit_s: float
) -> dict[str, Any]:
    """Means over graphs that are alike."""
    ratios, gaps, seconds, proved = [], [], [], 0
    for p in problems:
        listed, answer = heft(p), place(p, pipelined, limit_s)
        assert listed is not None
        if isinstance(answer.best, Schedule):
            assert not schedule_faults(p, answer.best)
        else:
            assert isinstance(answer.best, Pipeline)
            assert not pipeline_faults(p, answer.best)
        other = pipelined_on(p, listed.device).period_ns if pipelined else listed.makespan_ns
        assert answer.value_ns
        assert answer.gap is not None
        ratios.append(other / answer.value_ns)
        gaps.append(answer.gap)
        seconds.append(answer.seconds)
        proved += answer.status == "optimal"
    return {
        "shape": shape, "pieces": n, "ccr": ccr, "links": "ports" if linked else "free",
        "objective": "period" if pipelined else "makespan", "graphs": len(problems), "optimal": proved,
        "heft_over_ours": fmean(ratios), "most": max(ratios), "gap": fmean(gaps), "seconds": fmean(seconds),
    }  # fmt: skip


def network_rows(limit_s: float) -> Iterator[dict[str, Any]]:
    """Real networks over a CPU, a GPU and an NPU."""
    with tempfile.TemporaryDirectory() as folder:
        configs = {"bert": BERT, "bert12": {**BERT, "num_hidden_layers": 12}, "mixtral": MIXTRAL}
        for name, config in configs.items():
            (Path(folder) / f"{name}.json").write_text(json.dumps(config))
        cases = {
            "BERT-base, a layer, 128 tokens": (f"{folder}/bert.json", {"tokens": 128}),
            "BERT-base, a layer, 32 x 128 tokens": (f"{folder}/bert.json", {"batch": 32, "tokens": 128}),
            "BERT-base, 128 tokens": (f"{folder}/bert12.json", {"tokens": 128}),
            "Mixtral-8x7B, a block, 512 tokens": (f"{folder}/mixtral.json", {"tokens": 512}),
            "ResNet-50": (str(LIGHT / "light_resnet50.onnx"), {}),
            "DenseNet-121": (str(LIGHT / "light_densenet121.onnx"), {}),
        }
        for name, (path, sizes) in cases.items():
            for objective in ("makespan", "throughput"):
                d = place_ops(path, OVER, None, objective, "epyc-9554", sizes, limit_s).document
                others = {k: ns for k, ns in d["others_ns"].items() if ns is not None}
                ours = d["value_ns"]
                alone = min(ns for k, ns in others.items() if k != "HEFT")
                yield {
                    "network": name, "pieces": len(d["pieces"]), "objective": objective, "ours_ms": ours / 1e6,
                    "heft_over_ours": others["HEFT"] / ours, "one_device_over_ours": alone / ours, "gap": d["gap"],
                    "status": d["status"], "seconds": d["solve"]["seconds"],
                    "ops": {each["name"]: each["pieces"] for each in d["devices"]},
                }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=float, default=10.0, help="[s] for each graph")
    parser.add_argument("--graphs", type=int, default=4, help="of each kind; 1 of 1000 pieces")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--skip-networks", action="store_true")
    parser.add_argument("--skip-random", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    networks = () if given.skip_networks else network_rows(given.limit)
    graphs = () if given.skip_random else random_rows(given.limit, given.graphs, given.sizes)
    for found in chain(networks, graphs):
        rows.append(found)
        shown = (f"{v:.4g}" if isinstance(v, float) else str(v) for v in found.values())
        print("| " + " | ".join(shown) + " |", flush=True)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
