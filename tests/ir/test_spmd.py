"""SPMD programs: collectives held against JAX on four host devices, and programs run in lockstep."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import Block

from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.ir.spmd import groups, interpret_spmd

RING = {"sources": (0, 1, 2), "targets": (1, 2, 3)}
CASES: dict[str, tuple[type[nn.CollectiveOp], dict[str, Any], dict[str, int]]] = {
    "sum": (nn.AllReduceOp, {"kind": "sum"}, {"x": 4}),
    "max": (nn.AllReduceOp, {"kind": "max"}, {"x": 4}),
    "min": (nn.AllReduceOp, {"kind": "min"}, {"x": 4}),
    "gather": (nn.AllGatherOp, {"axis": 1}, {"x": 4}),
    "scatter": (nn.ReduceScatterOp, {"axis": 1}, {"x": 4}),
    "swap": (nn.AllToAllOp, {"split_axis": 1, "concat_axis": 0}, {"x": 4}),
    "shift": (nn.PermuteOp, RING, {"x": 4}),
    "rank": (nn.RankOp, {}, {"x": 4}),
    "outer": (nn.AllReduceOp, {"kind": "sum"}, {"x": 2, "y": 2}),
    "inner": (nn.AllGatherOp, {"axis": 0}, {"y": 2, "x": 2}),
}
"""Name -> op over the mesh axis x, its attributes, the mesh."""

JAX = """
import json, sys
import jax, numpy as np
jax.config.update("jax_enable_x64", True)
from jax import lax
from jax.sharding import Mesh, PartitionSpec as P
X = np.array(json.load(sys.stdin))
F = {
    "sum": lambda x: lax.psum(x, "x"), "max": lambda x: lax.pmax(x, "x"), "min": lambda x: lax.pmin(x, "x"),
    "gather": lambda x: lax.all_gather(x, "x", axis=1, tiled=True),
    "scatter": lambda x: lax.psum_scatter(x, "x", scatter_dimension=1, tiled=True),
    "swap": lambda x: lax.all_to_all(x, "x", 1, 0, tiled=True),
    "shift": lambda x: lax.ppermute(x, "x", [(0, 1), (1, 2), (2, 3)]),
    "rank": lambda x: lax.axis_index("x").astype(float)[None],
    "outer": lambda x: lax.psum(x, "x"), "inner": lambda x: lax.all_gather(x, "x", axis=0, tiled=True),
}
MESH = {"outer": {"x": 2, "y": 2}, "inner": {"y": 2, "x": 2}}
def run(name, f):
    sizes = MESH.get(name, {"x": 4})
    axes = P(tuple(sizes))
    mesh = Mesh(np.array(jax.devices()).reshape(*sizes.values()), tuple(sizes))
    g = jax.shard_map(lambda x: f(x[0])[None], mesh=mesh, in_specs=axes, out_specs=axes, check_vma=False)
    return np.asarray(g(X)).tolist()
print(json.dumps({name: run(name, f) for name, f in F.items()}))
"""


@pytest.fixture(scope="module")
def held() -> np.ndarray:
    """(rank, 4, 8): what each rank holds."""
    return np.random.default_rng(3).normal(size=(4, 4, 8))


@pytest.fixture(scope="module")
def by_jax(held: np.ndarray) -> dict[str, Any]:
    env = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    ran = subprocess.run(
        [sys.executable, "-c", JAX], input=json.dumps(held.tolist()), env=env, text=True, capture_output=True
    )
    assert not ran.returncode, ran.stderr
    return json.loads(ran.stdout)


def one_op(op: type[nn.CollectiveOp], attributes: dict[str, Any], ranks: int):
    """`main` of one collective on (4, 8)."""
    block = Block(arg_types=[TensorType(f32, [4, 8])])
    made = op.make(*(block.args if op is not nn.RankOp else ()), mesh="x", ranks=ranks, **attributes)
    block.add_op(made)
    return nn.build_main(block, [made.results[0]])


@pytest.mark.parametrize("name", CASES)
def test_collectives_are_those_of_jax(name: str, held: np.ndarray, by_jax: dict[str, Any]) -> None:
    op, attributes, mesh = CASES[name]
    got = interpret_spmd(one_op(op, attributes, mesh["x"]), mesh, [[x] for x in held], [{}] * 4)
    expected = by_jax[name]
    for rank in range(4):
        np.testing.assert_allclose(got[rank][0], np.squeeze(expected[rank]) if name == "rank" else expected[rank])


def test_a_rank_keeps_its_part(held: np.ndarray) -> None:
    module = one_op(nn.ShardOp, {"axis": 1}, 4)
    got = interpret_spmd(module, {"x": 4}, [[held[0]]] * 4, [{}] * 4)
    np.testing.assert_array_equal(np.concatenate([g[0] for g in got], axis=1), held[0])


def test_groups_differ_along_one_axis() -> None:
    mesh = {"dp": 2, "tp": 3}
    assert list(groups(mesh, "tp")) == [(0, 1, 2), (3, 4, 5)]
    assert list(groups(mesh, "dp")) == [(0, 3), (1, 4), (2, 5)]


def test_a_matrix_product_in_two_halves() -> None:
    x, w = np.random.default_rng(1).normal(size=(3, 4)), np.random.default_rng(2).normal(size=(4, 5))
    block = Block(arg_types=[TensorType(f32, [3, 2])])
    weight = nn.WeightOp.make(type=TensorType(f32, [2, 5]), weight="w")
    product = nn.MatmulOp.make(block.args[0], weight.result)
    total = nn.AllReduceOp.make(product.result, mesh="tp", ranks=2)
    block.add_ops([weight, product, total])
    module = nn.build_main(block, [total.result])
    got = interpret_spmd(module, {"tp": 2}, [[x[:, :2]], [x[:, 2:]]], [{"w": w[:2]}, {"w": w[2:]}])
    for (y,) in got:
        np.testing.assert_allclose(y, x @ w)


def test_what_does_not_fit_is_named() -> None:
    module = one_op(nn.AllReduceOp, {}, 4)
    whole = [[np.zeros((4, 8))]] * 2
    with pytest.raises(ValueError, match="1 inputs and the weights are needed for each of 4 ranks"):
        interpret_spmd(module, {"x": 4}, whole, [{}] * 2)
    with pytest.raises(ValueError, match=r"joins 4 ranks along `x`, and the mesh is \{'x': 2\}"):
        interpret_spmd(module, {"x": 2}, whole, [{}] * 2)
    with pytest.raises(ValueError, match="input 0 has shape"):
        interpret_spmd(module, {"x": 2}, [[np.zeros((4, 7))]] * 2, [{}] * 2)
    with pytest.raises(NotImplementedError, match="all_reduce"):
        interpret(module, whole[0], {})
