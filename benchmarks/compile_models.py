"""
Whole networks through `dovetail.compile`: how long it takes, what is emitted, and how far results are from float64.

    python benchmarks/compile_models.py [--only resnet50 gpt2] [--targets cpu gpu npu split] [--json results.json]

Networks are those of `examples/whole_networks.py`. What runs on a CPU and on an NPU (a machine that checks every
address) is of the published size; what runs on a GPU, or partly on one, is thin, since Triton's interpreter takes
seconds for what a GPU does in microseconds. Seconds are processor time of this process: from a network in memory to a
saved folder, with nothing compiled ahead of time. The error is the largest difference from the reference meaning in
float64, over the largest element of that output. The last rows are ResNet-50 from its file to a saved folder.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
import tempfile
import time
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
TARGETS = ("cpu", "gpu", "npu", "split")
AIM_S = 20.0
"""for ResNet-50 from its file to a saved folder"""
AIM_ERROR = 1e-5


@dataclass(frozen=True)
class Row:
    """One network on one target."""

    network: str
    target: str
    thin: bool
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


def measure(name: str, target: str, folder: Path) -> Row:
    """Compile, save and run one network."""
    thin = target in ("gpu", "split")
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
    return Row(name, target, thin, seconds, functions, lines, error, executors)


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


def main() -> None:
    """Run all, print a table of Markdown as it grows, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=WHOLE, default=list(WHOLE))
    parser.add_argument("--targets", nargs="*", choices=TARGETS, default=TARGETS)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    print("| network | target | size | compile and save [s] | functions | lines | largest error | executors |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        for target in arguments.targets:
            for network in arguments.only:
                row = measure(network, target, Path(name))
                rows.append(asdict(row))
                size = "thin" if row.thin else "full"
                print(f"| {network} | {target} | {size} | {row.seconds:.1f} | {row.functions} | {row.lines} ", end="")
                print(f"| {row.error:.1e} | {row.executors} |", flush=True)
        for target in set(arguments.targets) - {"split"}:
            print(
                f"\nResNet-50 from file to folder for {target}: {from_file(target, Path(name)):.1f} s (aim {AIM_S:g})"
            )
    worst = max(row["error"] for row in rows)
    print(f"\nlargest error of all: {worst:.1e} (aim {AIM_ERROR:g})")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
