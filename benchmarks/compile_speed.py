"""
How long compiling takes: BERT-base from a file to partitioned IR, stage by stage, and seconds per op up to 100,000 ops.

    python benchmarks/compile_speed.py [--runs 3] [--sizes 1000 10000 100000] [--json results.json]

The files are written to a temporary folder: an ONNX file of 438 MB with seeded random weights, whose norms, GELU,
attention and shapes are spelled out (`bert_onnx.py`), and a config.json. Times are processor seconds of this process,
the least of the runs; a stage's time over time per op at a tenth of the size says whether it is linear.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
from bert_onnx import bert
from deep_network import deep_network
from xdsl.utils.arg_spec import parse_pipeline

from dovetail.costmodel.hardware import Device, find_device
from dovetail.costmodel.tensor_graph import activation_bytes, total
from dovetail.ir import nn
from dovetail.ir.collector import collector_paused
from dovetail.ir.read.huggingface import read_config
from dovetail.ir.read.onnx import read_onnx
from dovetail.ir.verify import verify_module
from dovetail.passes import NN_PIPELINE, TARGET_PIPELINE, find_pass
from dovetail.passes.nn import run
from dovetail.passes.nn.draft import Draft
from dovetail.passes.nn.nn_pass import NnPass
from dovetail.passes.nn.profit import target_of
from dovetail.passes.pieces.emit import cut_into_pieces
from dovetail.planner.partition.plan import plan_partition, plan_pipeline

AIM_S = 3.0
"""from file to partitioned IR"""
AIM_RATIO = 1.5
"""time per op at 100,000 ops over that at 10,000"""
SIZES = {"batch": 1, "sequence": 128}
DEVICE = "h100-sxm"
IMPORTS = "import onnx, dovetail.ir.read.onnx, dovetail.passes.nn.draft, dovetail.planner.partition.plan"
CONFIG = {
    "architectures": ["BertModel"],
    "model_type": "bert",
    "vocab_size": 30522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
}
Stages = dict[str, float]


class Clock:
    """Seconds of each stage, by name, in order."""

    def __init__(self) -> None:
        self.stages: Stages = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds what the body takes to the stage `name`."""
        began = time.process_time()
        yield
        self.stages[name] = self.stages.get(name, 0.0) + time.process_time() - began


def from_onnx(path: Path, device: Device) -> Stages:
    """The stages from an ONNX file on."""
    clock = Clock()
    with clock.stage("read"):
        network = read_onnx(path, SIZES)
    return _partitioned(network, device, clock)


def from_config(path: Path, device: Device) -> Stages:
    """The stages from a config.json on, sizes left open until it is read."""
    clock = Clock()
    with clock.stage("read"):
        network = read_config(path, batch="batch", sequence="sequence")
    with clock.stage("close sizes"):
        module = nn.with_sizes(network.module, SIZES)
    network = nn.NnModule(module, network.weights, network.input_names, network.output_names)
    return _partitioned(network, device, clock)


def _partitioned(network: nn.NnModule, device: Device, clock: Clock) -> Stages:
    with clock.stage("passes"):
        network, _ = run(network, [name for name, _ in NN_PIPELINE], DEVICE)
    with clock.stage("verify"):
        verify_module(network.module, "the network")
    with clock.stage("eight convex pieces"):
        cut_into_pieces(network, 8, device)
    with clock.stage("a pipeline of four stages"):
        plan_pipeline(network, 4, device)
    with clock.stage("tensors over two devices"):
        plan_partition(network, 2, device)
    return clock.stages


@collector_paused()  # as the functions that run passes do
def at_size(ops: int) -> tuple[int, Stages]:
    """(ops there are, seconds of each stage) for a deep network; passes change one draft in turn."""
    clock = Clock()
    with clock.stage("build"):
        network = deep_network(ops)
    count = len(list(nn.body_of(network.module)))
    with clock.stage("verify"):
        verify_module(network.module, "the network")
    with clock.stage("cost rules"):
        total(network)
        activation_bytes(network)
    draft = Draft(network.module, dict(network.weights), target_of(DEVICE))
    for name, _ in (*NN_PIPELINE, *TARGET_PIPELINE["gpu"]):
        (spec,) = parse_pipeline(name)
        each = find_pass(spec.name).from_spec(spec)
        assert isinstance(each, NnPass)
        with clock.stage(spec.name):
            each.rewrite(draft)
    return count, clock.stages


def least(runs: int, measure: Callable[[], Stages]) -> Stages:
    """Each stage's least time."""
    found = []
    for _ in range(runs):
        gc.collect()
        found.append(measure())
    return {name: min(each[name] for each in found) for name in found[0]}


def import_s(runs: int) -> float:
    """Processor seconds of a process that imports what is needed, over one that imports nothing."""

    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    def seconds(program: str) -> float:
        times = []
        for _ in range(runs + 1):
            before = spent()
            subprocess.run([sys.executable, "-c", program], check=True)
            times.append(spent() - before)
        return min(times[1:])

    return seconds(IMPORTS) - seconds("pass")


def bert_rows(runs: int) -> list[dict[str, Any]]:
    """BERT-base both ways; prints as it goes."""
    device = find_device(DEVICE)
    assert device is not None
    imports, rows = import_s(runs), []
    with tempfile.TemporaryDirectory() as name:
        onnx.save(bert(), Path(name) / "bert.onnx")
        (Path(name) / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
        for file, measure in (("bert.onnx", from_onnx), ("config.json", from_config)):
            path = Path(name) / file
            stages = {"import": imports, **least(runs, lambda measure=measure, path=path: measure(path, device))}
            rows.append({"file": file, "stages_s": stages, "sum_s": sum(stages.values()), "aim_s": AIM_S})
    return rows


def print_bert(rows: list[dict[str, Any]]) -> None:
    """One column for each file."""
    names = dict.fromkeys(name for row in rows for name in row["stages_s"])
    print(f"{'BERT-base [s]':28}" + "".join(f"{row['file']:>14}" for row in rows))
    for name in names:
        cells = (row["stages_s"].get(name) for row in rows)
        print(f"{name:28}" + "".join(f"{'' if s is None else f'{s:.3f}':>14}" for s in cells))
    print(f"{'all':28}" + "".join(f"{row['sum_s']:14.3f}" for row in rows) + f"    (aim {AIM_S:g})")


def print_sizes(rows: list[dict[str, Any]]) -> None:
    """One column for each size, and how the last compares with the one before."""
    print(f"\n{'per op [us]':28}" + "".join(f"{row['ops']:>12,}" for row in rows) + f"{'ratio':>10}")
    totals = {"all": [sum(row["stages_s"].values()) for row in rows]}
    for name in [*rows[0]["stages_s"], "all"]:
        seconds = totals.get(name) or [row["stages_s"][name] for row in rows]
        each = [s / row["ops"] * 1e6 for s, row in zip(seconds, rows, strict=True)]
        ratio = f"{each[-1] / each[-2]:10.2f}" if len(each) > 1 and each[-2] else ""
        print(f"{name:28}" + "".join(f"{us:12.2f}" for us in each) + ratio)
    print(f"(aim: a ratio of at most {AIM_RATIO:g})")


def main() -> None:
    """Run all, print tables and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1000, 10000, 100000])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    files = bert_rows(arguments.runs)
    print_bert(files)
    sizes = []
    for ops in arguments.sizes:
        gc.collect()
        count, stages = at_size(ops)
        sizes.append({"ops": count, "stages_s": stages})
    if sizes:
        print_sizes(sizes)
    if arguments.json:
        arguments.json.write_text(json.dumps({"files": files, "sizes": sizes}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
