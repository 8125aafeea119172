"""Networks that several devices share: the emitted source, and what it gives on CPU devices of another process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import Block

import dovetail
from dovetail.backends.jax.emit import emit_sharded
from dovetail.backends.jax.program import build_program, build_sharded
from dovetail.ir import nn
from dovetail.ir.diagnostics import InputError
from dovetail.ir.read.saved import save_network
from dovetail.passes.shard.apply import SpmdNetwork, apply_decision
from dovetail.passes.shard.decision import Decision, Way
from dovetail.passes.shard.signatures import Mesh
from dovetail.passes.shard.states import State

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, Any]]:
    """What `on_devices.py` prints, by case."""
    script = Path(__file__).with_name("on_devices.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {row["case"]: row for row in map(json.loads, done.stdout.splitlines())}


def shared(devices: int, end: str = "B") -> SpmdNetwork:
    """tanh(x @ up) @ down, the hidden axis in parts."""
    block = Block(arg_types=[TensorType(f32, [4, 8])])
    up, down = (nn.WeightOp.make(type=TensorType(f32, s), weight=n) for n, s in (("up", [8, 16]), ("down", [16, 8])))
    hidden = nn.MatmulOp.make(block.args[0], up.result)
    inner = nn.TanhOp.make(hidden.result)
    last = nn.MatmulOp.make(inner.result, down.result)
    block.add_ops([up, down, hidden, inner, last])
    values = {op.weight.data: drawn_for(op) for op in (up, down)}
    network = nn.NnModule(nn.build_main(block, [last.result]), values, ("x",), ("y",))
    ways = ("->S(1)", "->S(0)", "B,S(1)->S(1)", "S(1)->S(1)", "S(1),S(0)->P(sum)")
    decision = Decision(Mesh("tp", devices), (State("B"),), tuple(map(Way.read, ways)), (State.read(end),))
    return apply_decision(network, decision)


def drawn_for(op: nn.WeightOp) -> np.ndarray:

    return np.random.default_rng(1).normal(size=nn.shape_of(op.result)).astype(np.float32) / 4


def test_results_are_those_of_one_device(rows: dict[str, dict[str, Any]]) -> None:
    assert len(rows) == 8
    for name, row in rows.items():
        assert row["parts"] <= TOLERANCE, row
        assert row["whole"] <= TOLERANCE or name == "permute", row
        assert row["trace"] == "jax on 4 x cpu"


def test_collectives_are_those_of_the_plan(rows: dict[str, dict[str, Any]]) -> None:
    assert all(row["compiled"] == row["planned"] for row in rows.values())
    assert {kind for row in rows.values() for kind in row["planned"]} == {
        "all_reduce", "all_gather", "reduce_scatter", "all_to_all", "permute",
    }  # fmt: skip
    assert rows["prefill"]["planned"]["all_reduce"] > 1


def test_the_source(golden) -> None:
    source = emit_sharded(shared(2), "mlp")
    golden("jax/sharded.py", source.sources["mlp.py"])
    assert 'jax.config.update("jax_num_cpu_devices", 2)' in source.sources["run.py"]


def test_the_source_is_formatted(tmp_path: Path) -> None:
    for name, text in emit_sharded(shared(2), "mlp").sources.items():
        (tmp_path / name).write_text(text)
    ruff = Path(sys.executable).parent / "ruff"
    if not ruff.exists():
        pytest.skip("ruff is not installed")
    for command in (["format", "--diff"], ["check"]):
        done = subprocess.run([str(ruff), *command, "--isolated", str(tmp_path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_too_few_devices_are_told() -> None:
    with pytest.raises(InputError, match=r"is shared among 16 devices, and JAX has \d+ here"):
        build_sharded(shared(16), "mlp")


def test_an_output_of_partial_sums_is_refused() -> None:
    with pytest.raises(InputError, match=r"no array of JAX lies on its devices as P\(sum\)"):
        emit_sharded(shared(2, "P(sum)"), "mlp")


def test_the_command_writes_what_runs_without_us(tmp_path: Path) -> None:
    program, out = shared(4), tmp_path / "out"
    save_network(program.whole, tmp_path / "net.mlir")
    asked = ["net.mlir", "--devices", "4", "--device", "h100-sxm", "--memory", "1500", "-o", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "dovetail.cli", "partition", *asked], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    plan = json.loads((out / "plan.json").read_text())
    assert [w["state"] for w in plan["weights"]] == ["S(1)", "S(0)"]
    x = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    (out / "dovetail.py").write_text("raise ImportError('Dovetail is not here')\n")
    command = [sys.executable, "run.py", "--inputs", str(tmp_path / "x.npz"), "--outputs", str(tmp_path / "y.npz")]
    alone = subprocess.run(command, cwd=out, capture_output=True, text=True)
    assert alone.returncode == 0, alone.stderr
    with np.load(tmp_path / "y.npz") as made:
        (found,) = made.values()
    (wanted,) = build_program(program.whole)(x)
    np.testing.assert_allclose(found, wanted, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("decision", [{}, {"mesh": {"axis": "tp", "ranks": 2}, "inputs": [], "ops": [], "outputs": []}])
def test_a_decision_that_does_not_fit_is_refused(decision: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="the decision does not fit the network"):
        dovetail.compile(shared(2).whole, placement={"decision": decision})
