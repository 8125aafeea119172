"""
Whole networks through `dovetail.compile`: how long it takes, what is emitted, and how far results are from float64.

    python benchmarks/compile_models.py [--only resnet50 gpt2] [--ways cpu npu npu-thin gpu-thin split-thin] [--json F]

Networks are those of `examples/whole_networks.py`, of the published size on a CPU and on an NPU (a machine that checks
every address), and thin where Triton's interpreter runs all or part of them, since it takes seconds for what a GPU does
in microseconds. Split ones have their first third of operators on the GPU, the next on the NPU, the last on the CPU.
Seconds are processor time of this process: from a network in memory to a saved folder, with nothing compiled ahead of
time. The error is the largest difference from the reference meaning in float64, over the largest element of that
output. What is measured goes to stderr as it comes; the tables are printed at the end, and with `from-file` among the
ways ResNet-50 from its file to a saved folder.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import dovetail
from dovetail.ir.interpret import interpret
from dovetail.ir.read.onnx import read_onnx
from dovetail.ir.weights import onnx_with_weights, reseed_constant_weights
from dovetail.passes.pieces.emit import working_ops
from dovetail.passes.pieces.prepare import prepare

sys.path.insert(0, str(Path(__file__).parents[1]))  # `examples`

from examples.whole_networks import LIGHT, WHOLE, Whole

RENT = "price: {rent: 1 USD/h}"
DEVICES = {
    "cpu": f"cpu: {{kind: cpu, cores: 8, memory: 8 GB, bandwidth: 20 GB/s, flops: {{fp32: 0.1 TFLOP/s}}, {RENT}}}",
    "gpu": f"gpu: {{model: h100-sxm, {RENT}}}",
    "npu": "npu: {kind: npu, memory: 8 GB, bandwidth: 9 GB/s, flops: {fp32: 5 TFLOP/s}, scratchpad: 64 MiB, "
    + RENT
    + "}",
}
WAYS: Mapping[str, tuple[str, bool]] = {
    "cpu": ("cpu", False), "npu": ("npu", False), "npu-thin": ("npu", True), "gpu-thin": ("gpu", True),
    "split-thin": ("split", True),
}  # fmt: skip
"""name -> target, and whether the networks are thin"""
FROM_FILE = "from-file"
AIM_S = 20.0
"""for ResNet-50 from its file to a saved folder"""
AIM_ERROR = 1e-5


@dataclass(frozen=True)
class Row:
    """One network on one way."""

    network: str
    way: str
    seconds: float
    """of processor time, from a network in memory to a saved folder"""
    functions: int
    """that the emitted pieces define or take from the library of kernels"""
    lines: int
    """of the emitted pieces, without the library's and the scripts'"""
    error: float
    """relative to the largest element"""
    executors: str


def fleet_file(folder: Path, target: str) -> Path:
    """A fleet of the one device, or of all three."""
    names = DEVICES if target == "split" else (target,)
    path = folder / f"{target}.yaml"
    path.write_text("devices:\n" + "".join(f"  {DEVICES[name]}\n" for name in names), encoding="utf-8")
    return path


def thirds(whole: Whole) -> list[str]:
    """A placement of the first ops on the GPU, the next on the NPU, the last on the CPU."""
    count = len(working_ops(prepare(whole.network)))
    third = count // 3
    return ["gpu"] * third + ["npu"] * third + ["cpu"] * (count - 2 * third)


def measure(name: str, way: str, folder: Path) -> Row:
    """Compile, save and run one network."""
    target, thin = WAYS[way]
    whole = WHOLE[name](thin)
    placement = thirds(whole) if target == "split" else None
    began = time.process_time()
    program = dovetail.compile(whole.network, fleet=fleet_file(folder, target), placement=placement)
    out = program.save(folder / "out", force=True)
    seconds = time.process_time() - began
    functions, lines = emitted(out, program.trace)
    made = program(*whole.inputs)
    error = largest_error(made, interpret(whole.network.module, whole.inputs, whole.network.weights))
    executors = ", ".join(dict.fromkeys(text for _, text in program.trace))
    return Row(name, way, seconds, functions, lines, error, executors)


def emitted(folder: Path, trace: list[tuple[str, str]]) -> tuple[int, int]:
    """Functions and lines of the pieces' own files."""
    functions = lines = 0
    for piece, executor in trace:
        way = next(way for way in ("triton", "scratchpad", "jax") if executor.startswith(way))
        name = piece.removesuffix(".run")
        text = (folder / way / name / f"{name}.py").read_text(encoding="utf-8")
        lines += text.count("\n")
        tree = ast.parse(text)
        functions += sum(isinstance(node, ast.FunctionDef) for node in tree.body)
        taken = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
        functions += sum(len(node.names) for node in taken if (node.module or "").startswith("kernels."))
    return functions, lines


def largest_error(found: tuple[np.ndarray, ...], expected: tuple[np.ndarray, ...]) -> float:
    """Over the largest element of each output."""
    pairs = zip(found, expected, strict=True)
    return max(float(np.abs(y.astype(np.float64) - x).max() / np.abs(x).max()) for y, x in pairs)


def from_file(target: str, folder: Path) -> float:
    """Processor seconds of ResNet-50 from its ONNX file to a saved folder."""
    light, path = LIGHT / "light_resnet50.onnx", folder / "resnet50.onnx"
    if not path.exists():
        path.write_bytes(onnx_with_weights(light, reseed_constant_weights(read_onnx(light), seed=3).weights))
    began = time.process_time()
    dovetail.compile(path, fleet=fleet_file(folder, target)).save(folder / "out", force=True)
    return time.process_time() - began


def print_table(rows: Sequence[Row], text: Callable[[Row], str]) -> None:
    """Of Markdown, with a line for each network and a column for each way."""
    ways, networks = (list(dict.fromkeys(getattr(row, name) for row in rows)) for name in ("way", "network"))
    print(f"\n| network | {' | '.join(ways)} |\n{'|---' * (len(ways) + 1)}|")
    found = {(row.network, row.way): text(row) for row in rows}
    for network in networks:
        print(f"| {network} | {' | '.join(found[network, way] for way in ways)} |")


def main() -> None:
    """Run all, print the tables, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=WHOLE, default=list(WHOLE))
    parser.add_argument("--ways", nargs="*", choices=(*WAYS, FROM_FILE), default=(*WAYS, FROM_FILE))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for way in [way for way in arguments.ways if way != FROM_FILE]:
            for network in arguments.only:
                rows.append(measure(network, way, Path(name)))
                print(rows[-1], file=sys.stderr, flush=True)
        if FROM_FILE in arguments.ways:
            taken = ", ".join(f"{target} {from_file(target, Path(name)):.1f} s" for target in DEVICES)
            print(f"ResNet-50 from its file to a saved folder: {taken} (aim {AIM_S:g} s)")
    if rows:
        print_table(rows, lambda row: f"{row.error:.1e}")
        print_table(rows, lambda row: f"{row.seconds:.1f} / {row.functions} / {row.lines}")
        print(f"\nlargest error of all: {max(row.error for row in rows):.1e} (aim {AIM_ERROR:g})")
        for way in dict.fromkeys(row.way for row in rows):
            print(f"{way}: {'; '.join(dict.fromkeys(row.executors for row in rows if row.way == way))}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
