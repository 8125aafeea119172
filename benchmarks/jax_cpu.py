"""
Emitted JAX source against the same network written by hand in JAX, on this machine's CPU.

    python benchmarks/jax_cpu.py [--rounds 15] [--only NAME]

The networks are those of `examples/jax_models`. Each is read, lowered for a CPU, written as source and weights and
imported from there as a user would; the other side is `jax.jit` of the function as it was written. Weights are
arguments on both sides, and lie on the device. Calls take turns in one process, the first of each pair in turn, and
a round's ratio is of processor time, all threads together; the median over rounds stands in the table, with the
quartiles. Outputs agree to 1e-4 of the largest.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from dovetail.backends.jax.emit import emit_jax
from dovetail.backends.writer import write_folder
from dovetail.ir.read.jaxpr import read_jax
from dovetail.passes.target import lower_for_target
from examples.jax_models import bert, llama, parameters, resnet

LEAST_S = 0.5
"""processor time of one side in one round, at least"""
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Case:
    """A function of weights and inputs, written by hand."""

    name: str
    function: Callable[..., Any]
    weights: Any
    inputs: tuple[Any, ...]


def cases() -> Iterator[Case]:
    """ResNet-50, BERT-base cut to two layers, and a block of Llama."""
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, dtype=np.float32)

    yield Case("ResNet-50, 1 image of 64 x 64", resnet.forward, resnet.parameters(), (normal(1, 3, 64, 64),))
    config = bert.Config(layers=2, width=768, heads=12)
    tokens = rng.integers(0, config.vocabulary, (1, 128), dtype=np.int32)
    weights = parameters(bert.shapes(config))
    yield Case("BERT-base, 2 layers, 128 tokens", lambda p, x: bert.forward(config, p, x), weights, (tokens,))
    block = llama.Config(width=1024, heads=16, kv_heads=4, hidden=2816)
    weights = parameters(llama.shapes(block))
    yield Case("Llama block, 128 tokens", lambda p, x: llama.forward(block, p, x), weights, (normal(1, 128, 1024),))
    cache = (normal(1, 4, 255, 64), normal(1, 4, 255, 64))
    step = (normal(1, 1, 1024), cache)
    yield Case("Llama block, 1 token after 255", lambda p, x, c: llama.forward(block, p, x, c), weights, step)


def emitted(case: Case, number: int, folder: Path) -> tuple[Callable[..., Any], Any]:
    """The emitted function and its weights, imported from a file."""
    network = read_jax(lambda *inputs: case.function(case.weights, *inputs), case.inputs)
    source = emit_jax(lower_for_target(network, "cpu"), f"network_{number}")
    place = write_folder(source.files("jax"), folder / source.name) / "jax"
    sys.path.insert(0, str(place))
    module = import_module(source.name)
    return getattr(module, source.name), module.load_weights()


def seconds(call: Callable[[], Any], times: int) -> float:
    """Processor time of so many calls, all threads together."""
    began = time.process_time()
    for _ in range(times):
        jax.block_until_ready(call())
    return time.process_time() - began


def compared(case: Case, number: int, folder: Path, rounds: int) -> tuple[float, list[float]]:
    """[s] by hand, and emitted over by hand in each round."""
    function, weights = emitted(case, number, folder)
    by_hand = jax.jit(case.function)
    given = jax.tree.map(jnp.asarray, case.inputs)
    flat = jax.tree.leaves(given)
    calls = [lambda: by_hand(case.weights, *given), lambda: function(weights, *flat)]
    for wanted, found in zip(*(jax.tree.leaves(call()) for call in calls), strict=True):
        assert jnp.abs(wanted - found).max() <= TOLERANCE * jnp.abs(wanted).max(), case.name
    once = seconds(calls[0], 3) / 3
    times = max(1, round(LEAST_S / once))
    ratios, hand = [], []
    for turn in range(rounds):
        taken = {i: seconds(calls[i], times) for i in ((0, 1) if turn % 2 else (1, 0))}
        ratios.append(taken[1] / taken[0])
        hand.append(taken[0] / times)
    return median(hand), ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", help="networks whose name contains this")
    arguments = parser.parse_args()
    print("| network | by hand (processor) | emitted / by hand, median | quartiles |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(cases()):
            if arguments.only in (None, case.name) or arguments.only in case.name:
                hand, ratios = compared(case, number, Path(folder), arguments.rounds)
                low, _, high = quantiles(ratios, n=4)
                print(
                    f"| {case.name} | {1e3 * hand:.2f} ms | {median(ratios):.3f} | {low:.3f} to {high:.3f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
