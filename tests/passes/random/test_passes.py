"""Every pass and every pipeline keeps the meaning of random networks; every pattern is tried often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from importlib import import_module

import numpy as np
import pytest
from xdsl.rewriter import Rewriter

from dovetail.ir import nn
from dovetail.ir.random_networks import RandomNetwork, random_network
from dovetail.passes import BUILT_IN, NN_PIPELINE, TARGET_PIPELINE
from dovetail.passes.nn import PASSES, run
from dovetail.passes.nn.quantise_weights import quantise_weights

NETWORKS = 1_000
"""in each of the two long runs: 160 s of processor time"""
LEAST = 20
"""how often each pattern must fire while many networks are tried"""
COUNTED = {
    "fold-constants": {"fold", "number"},
    "merge-equal-ops": {"equal-ops"},
    "remove-dead-code": {"dead-op"},
    "infer-shapes": {"type"},
    "fuse-horizontal": {"horizontal"},
    "fuse-epilogue": {"epilogue"},
    "fuse-elementwise": {"chain", "mixed-chain"},
    "tile-products": {"tile-product"},
    "tile-convolutions": {"tile-convolution"},
    "quantise-weights": {"quantise"},
}
"""Pass -> what it counts, where that is no table of patterns."""
QUANTISED = ("i8", "i4", "fp8")


def patterns() -> set[tuple[str, str]]:
    """(pass, pattern) for all passes."""
    found = set()
    for name in (*(each.split("{")[0] for each in PASSES), "quantise-weights"):
        module = import_module(f"dovetail.passes{BUILT_IN[name][0]}")
        table = getattr(module, "PATTERNS", None)
        listed = COUNTED[name] if table is None else {pattern for each in table.values() for pattern, _ in each}
        found |= {(name, pattern) for pattern in listed}
    return found


def try_all(seeds: Iterable[int], rewritten: Callable[..., nn.NnModule], fired: Counter[tuple[str, str]]) -> None:
    """Each pass by itself, the pipeline of a GPU pass by pass, and those of other kinds as one."""
    for seed in seeds:
        case = random_network(seed)
        try:
            for name in PASSES:
                rewritten(case, [name])
            rewritten(case, pipeline("gpu"), "gpu")
            for kind in ("cpu", "npu"):
                rewritten(case, pipeline(kind)[len(NN_PIPELINE) :], kind, run(case.network, pipeline(kind), kind)[0])
            fired["infer-shapes", "type"] += check_inference(case, seed)
            fired["quantise-weights", "quantise"] += check_quantisation(case, QUANTISED[seed % 3])
        except Exception as error:
            error.add_note(f"network {seed}")
            raise


def pipeline(kind: str) -> list[str]:
    return [name for name, _ in (*NN_PIPELINE, *TARGET_PIPELINE[kind])]


def check_inference(case: RandomNetwork, seed: int) -> int:
    """Types that are made wrong become right again; how many were."""
    rng, wrong = np.random.default_rng(seed), case.network.module.clone()
    for op in nn.body_of(wrong):
        views = any(isinstance(use.operation, nn.ReshapeOp | nn.BroadcastOp) for r in op.results for use in r.uses)
        written = isinstance(op, nn.WeightOp | nn.FillOp | nn.IotaOp | nn.ReshapeOp | nn.BroadcastOp)
        if not views and not written and rng.random() < 0.3:
            for result in op.results:
                Rewriter.replace_value_with_new_type(result, nn.with_shape(result, (*nn.shape_of(result), 7)))
    done, fired = run(nn.NnModule(wrong, case.network.weights, (), ()), ["infer-shapes"])
    assert done.module.is_structurally_equivalent(case.network.module)
    return fired.get("type", 0)


def check_quantisation(case: RandomNetwork, type: str) -> int:
    """Each weight becomes the nearest that its scale allows, by the error that is stated; how many did."""
    done, errors = quantise_weights(case.network, type)
    done.module.verify()
    replaced = dict(case.network.weights)
    for op in nn.main_of(done.module).walk():
        if not isinstance(op, nn.FusionOp) or not isinstance(op.steps[0], nn.DequantiseOp):
            continue
        q, scale = (op.operands[op.body.block.args.index(value)].owner for value in op.steps[0].operands)  # type: ignore[arg-type]
        assert isinstance(q, nn.WeightOp)
        assert isinstance(scale, nn.WeightOp)
        name = q.weight.data.rsplit(".", 2)[0]
        few, scales = (done.weights[each.weight.data].astype(np.float64) for each in (q, scale))
        old = np.asarray(case.network.weights[name], dtype=np.float64)
        new = few * np.broadcast_to(scales, old.shape)
        step = 0.5 if type != "fp8" else np.maximum(np.abs(few), 2.0**-6) / 16
        assert (np.abs(new - old) <= step * scales * (1 + 1e-2)).all()
        stated = np.sqrt(np.mean((new - old) ** 2) / np.mean(old**2))
        assert errors[name] == pytest.approx(stated, rel=1e-6, abs=1e-12)
        replaced[name] = new
    if not set(errors) & set(done.weights):  # else it is used in another way too
        expected = case.run(nn.NnModule(case.network.module, replaced, (), ()))
        for before, after in zip(expected, case.run(done), strict=True):
            np.testing.assert_allclose(after, before, rtol=0, atol=1e-9 * np.abs(before).max(initial=1e-3))
    return len(errors)


@pytest.mark.parametrize("first", range(0, 240, 30))
def test_random_networks_mean_the_same_after_all_passes(first, rewritten, fired):
    try_all(range(first, first + 30), rewritten, fired)


@pytest.mark.fuzz
@pytest.mark.parametrize("first", [10_000, 20_000])
def test_many_random_networks_mean_the_same_after_all_passes(first, rewritten, fired, record_property):
    fired.clear()
    try_all(range(first, first + NETWORKS), rewritten, fired)
    lines = [f"{name:24} {pattern:24} {fired[name, pattern]:6}" for name, pattern in sorted(patterns())]
    record_property("summary", "\n".join(lines))
    rare = {each: fired[each] for each in patterns() if fired[each] < LEAST}
    assert not rare, f"patterns that fired less than {LEAST} times: {rare}"
    assert set(fired) - patterns() <= {("fold-constants", "dead-op")}


def test_networks_hold_every_op():
    seen = Counter(type(op) for seed in range(400) for op in nn.body_of(random_network(seed).network.module))
    assert {op.name: seen[op] for op in nn.OPS if seen[op] < 3} == {}


def test_a_seed_gives_the_same_network_again():
    one, other, third = (random_network(seed) for seed in (5, 5, 6))
    assert one.network.module.is_structurally_equivalent(other.network.module)
    assert not one.network.module.is_structurally_equivalent(third.network.module)
    for x, y in zip(one.outputs, other.outputs, strict=True):
        np.testing.assert_array_equal(x, y)


def test_networks_are_of_numbers_that_can_be_compared():
    for seed in range(60):
        case = random_network(seed)
        assert case.outputs
        assert all(np.isfinite(y).all() and np.abs(y).max(initial=0) < 1e7 for y in case.outputs)
