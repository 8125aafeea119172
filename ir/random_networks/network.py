"""A whole random network, and whether rounding decides what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from xdsl.dialects.builtin import bf16, f16, f32, f64
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.utils.exceptions import VerifyException

from .. import nn
from ..interpret import evaluate, interpret
from ..meaning import Array
from ..meaning.collectives import ACROSS
from ..spmd import interpret_spmd
from . import heads, layers, moves, redundant, scalars, spelled
from .author import MESH, Author, Unfit

ELEMENTS: tuple[tuple[Attribute, float], ...] = ((f64, 0.5), (f32, 0.4), (f16, 0.05), (bf16, 0.05))
"""Element type of the floats of a network, and how often"""
ROUNDING = {"f64": 1e-12, "f32": 1e-7, "f16": 1e-3, "bf16": 1e-7}
"""Element type -> the relative error of a weight that was worked out and rounded (bf16 weights are held in singles)"""
AMPLIFIED = 100.0
"""by how much the outputs of a network may grow such an error"""
EXACT = 1e-9
"""of the scale of an output: what may differ by the order of float64 operations alone"""
LEAKS = 0.1
"""how often something inside a motif is an output of the network too"""


@dataclass(frozen=True)
class RandomNetwork:
    """A network with inputs, for each rank where it holds collectives."""

    network: nn.NnModule
    inputs: Sequence[Sequence[Array]]
    """for each rank, the value of each input"""
    rounding: float
    """relative error of a weight that a pass works out and rounds to its element type"""

    def difference(self, done: nn.NnModule) -> str:
        """
        The first output that is another after the network became `done`, in words; empty where none is.

        The same is to 1e-9 of the scale of each output. Where weights are new, which are rounded to their element type,
        it is what such an error may grow to.
        """
        old = self.network.weights
        known = all(old.get(name) is array for name, array in done.weights.items())
        tolerance = EXACT if known else max(EXACT, 10 * AMPLIFIED * self.rounding)
        for index, (before, after) in enumerate(zip(self.outputs, self.run(done), strict=True)):
            if before.shape != after.shape:
                return f"output {index} has shape {after.shape}, not {before.shape}"
            error = float(np.abs(before - after).max(initial=0)) / _scale(before)
            if not error <= tolerance:
                return f"output {index} is off by {error:.2g} of its scale"
        return ""

    @cached_property
    def outputs(self) -> list[Array]:
        """What the network itself gives."""
        return self.run()

    def run(self, network: nn.NnModule | None = None) -> list[Array]:
        """What the network, or what became of it, gives: all outputs of rank 0, then of rank 1."""
        network = network or self.network
        with np.errstate(all="ignore"):
            if len(self.inputs) == 1:
                return list(interpret(network.module, self.inputs[0], network.weights))
            mesh = {MESH: len(self.inputs)}
            given = [network.weights] * len(self.inputs)
            return [y for ys in interpret_spmd(network.module, mesh, self.inputs, given) for y in ys]


Maker = Callable[[Author], Any]
MAKERS: Mapping[Maker, float] = {**scalars.MAKERS, **moves.MAKERS, **layers.MAKERS}
ACROSS_RANKS: Mapping[Maker, float] = {scalars.across_ranks: 1}
MOTIFS: Mapping[Maker, float] = {**spelled.MOTIFS, **heads.MOTIFS, **redundant.MOTIFS}


def random_network(seed: int, parts: int = 8) -> RandomNetwork:
    """
    The network of `seed`: about `parts` single ops and motifs over values that they share, some of which it returns.

    The same seed gives the same network. Networks whose outputs hang on rounding are drawn again.
    """
    for attempt in range(100):
        case = _draw(np.random.default_rng([seed, attempt]), parts)
        if case is not None:
            return case
    raise AssertionError("a hundred networks in a row hang on rounding")


def _draw(rng: np.random.Generator, parts: int) -> RandomNetwork | None:
    element = ELEMENTS[int(rng.choice(len(ELEMENTS), p=[often for _, often in ELEMENTS]))][0]
    a = Author(rng, element, ranks=2 if rng.random() < 0.08 else 1)
    for _ in range(parts):
        _write(a, ACROSS_RANKS if a.ranks > 1 and a.chance(0.4) else MOTIFS if a.chance(0.5) else MAKERS)
    outputs = _outputs(a)
    if not outputs:
        return None
    given = [[a.arrays[arg][rank] for arg in a.block.args] for rank in range(a.ranks)]
    names = tuple(f"x{i}" for i in range(len(a.block.args)))
    module = nn.build_main(a.block, outputs)
    network = nn.NnModule(module, a.weights, names, tuple(f"y{i}" for i in range(len(outputs))))
    case = RandomNetwork(network, given, ROUNDING[str(element)])
    return case if _is_steady(case, rng) else None


def _write(a: Author, makers: Mapping[Maker, float]) -> None:
    """One more part; nothing where the values that there are do not fit."""
    chances = np.array(list(makers.values()))
    maker = list(makers)[int(a.rng.choice(len(chances), p=chances / chances.sum()))]
    last = a.block.last_op
    try:
        made = maker(a)
        if makers is not MOTIFS:
            return
        a.offer(made)
        if a.chance(LEAKS):
            inside = [op for op in a.block.ops if last is None or last.is_before_in_block(op)]
            a.offer(a.pick(inside).results[0])
    except (Unfit, VerifyException):
        a.take_back(last)


def _outputs(a: Author) -> list[SSAValue]:
    """Most of what nothing else uses, and now and then something that is used too, or an input."""
    offered = [v for v in dict.fromkeys(a.pool) if isinstance(v.owner, Operation)]
    ends = [v for v in offered if v.first_use is None and a.chance(0.85)]
    return ends + [v for v in offered if v.first_use is not None and a.chance(0.05)] or offered[-1:]


def _is_steady(case: RandomNetwork, rng: np.random.Generator) -> bool:
    """Whether rounding each intermediate result anew changes the outputs little."""
    exact, noisy = case.outputs, _noisy(case, rng)
    for one, other in zip(exact, noisy, strict=True):
        if not np.isfinite(one).all():
            return False
        if np.abs(one - other).max(initial=0) > AMPLIFIED * case.rounding * _scale(one):
            return False
    return True


def _scale(array: Array) -> float:
    """The largest element without its sign, at least 1e-3; integers are held as such."""
    return max(float(np.abs(array).max(initial=0)), 1e-3)


def _noisy(case: RandomNetwork, rng: np.random.Generator) -> list[Array]:
    """The outputs where every float that is computed, or trained, is off by about one rounding."""
    block, ranks = nn.main_of(case.network.module).body.block, len(case.inputs)
    values: list[dict[SSAValue, Array]] = [dict(zip(block.args, given, strict=True)) for given in case.inputs]
    with np.errstate(all="ignore"):
        for op in block.ops:
            if isinstance(op, ReturnOp):
                return [held[o] for held in values for o in op.operands]
            operands = [[held[o] for o in op.operands] for held in values]
            if isinstance(op, nn.CollectiveOp):
                found = [(y,) for y in ACROSS[type(op)](op, [each[0] if each else np.zeros(()) for each in operands])]
            else:
                found = [evaluate(op, each, case.network.weights) for each in operands]
            for index, result in enumerate(op.results):
                for rank in range(ranks):
                    values[rank][result] = _off(op, result, found[rank][index], case.rounding, rng)
    raise AssertionError("main does not return")


MOVES = (*nn.LAYOUT, nn.GatherOp, nn.GatherElementsOp, nn.IotaOp, nn.TransferOp, nn.CastOp, nn.CollectiveOp)
ELEMENT_BY_ELEMENT = (*nn.UNARY, nn.MulOp, nn.DivOp, nn.PowOp, nn.MaxOp, nn.MinOp, nn.WhereOp, nn.WeightOp)


def _off(op: Operation, result: SSAValue, array: Array, rounding: float, rng: np.random.Generator) -> Array:
    """`array` rounded anew: relative to each element, or to the largest where sums are taken."""
    moved = isinstance(op, MOVES) and not isinstance(op, nn.WeightOp)
    if moved or not nn.is_float(nn.tensor_type(result).element_type):
        return array
    if isinstance(op, nn.WeightOp) and np.array_equal(array, np.round(array)):
        return array
    noise = rounding * rng.uniform(-1, 1, array.shape)
    if isinstance(op, ELEMENT_BY_ELEMENT):
        return np.where(np.isfinite(array), array * (1 + noise), array)
    finite = np.abs(array[np.isfinite(array)]).max(initial=0.0)
    return array + noise * finite
