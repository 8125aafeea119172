"""Equal layers as one function: the same numbers bit for bit, weights kept apart, and what is no repeat left alone."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from xdsl.dialects.builtin import StringAttr

from dovetail.backends.jax import equal_layers
from dovetail.backends.jax.program import JaxProgram, build_program
from dovetail.ir import nn
from dovetail.ir.read.jaxpr import read_jax
from examples.jax_models import bert, parameters

TOKENS = np.array([[3, 1, 4, 15, 9, 2, 6, 5]], np.int32)


def bert_of(layers: int) -> nn.NnModule:
    config = bert.Config(layers=layers, width=32, heads=4, vocabulary=50, positions=16)
    return read_jax(partial(bert.forward, config, parameters(bert.shapes(config))), (np.zeros((1, 8), np.int32),))


def mlp(weights: list[np.ndarray], mask: bool = False, also: int | None = None) -> nn.NnModule:
    """A gate and a product for each weight; perhaps with what all share, and the value inside one as an output."""
    import jax
    import jax.numpy as jnp

    def apply(x, m):
        inside = []
        for w in weights:
            y = jnp.sin(x @ w)
            inside.append(jnp.cos(y * jnp.exp(y)))
            x = x + (jax.nn.relu(inside[-1]) * m if mask else jax.nn.relu(inside[-1]))
        return x if also is None else (x, inside[also])

    return read_jax(apply, (np.zeros((4, 16), np.float32), np.zeros((4, 16), np.float32)))


def drawn(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal((16, 16)).astype(np.float32) / 4 for _ in range(count)]


def source_of(program: JaxProgram) -> str:
    return program.sources[f"{program.source.name}.py"]


def written_out(network: nn.NnModule, monkeypatch: pytest.MonkeyPatch) -> JaxProgram:
    """The program as it is without functions for layers."""
    with monkeypatch.context() as patch:
        patch.setattr(equal_layers, "repeats_in", lambda _: [])
        program = build_program(network)
    assert "def layer_1" not in source_of(program)
    return program


def require_equal(network: nn.NnModule, monkeypatch: pytest.MonkeyPatch, *inputs: np.ndarray) -> JaxProgram:
    program, long = build_program(network), written_out(network, monkeypatch)
    for found, wanted in zip(program(*inputs), long(*inputs), strict=True):
        np.testing.assert_array_equal(found, wanted)
    for ours in (program, long):
        assert sorted(a.tobytes() for a in ours.weights.values()) == sorted(a.tobytes() for a in long.weights.values())
    return program


def test_twelve_layers_are_one_function_called_twelve_times(monkeypatch: pytest.MonkeyPatch) -> None:
    text = source_of(require_equal(bert_of(12), monkeypatch, TOKENS))
    assert len(re.findall(r"^def layer_\d", text, re.MULTILINE)) == 1
    assert re.findall(r'layer_1\(part_of\(w, "layer_1\.(\d+)\."\), x\)', text) == [str(i) for i in range(12)]
    assert "One of 12 equal layers; takes x (" in text
    assert len(text) < 1.05 * len(source_of(build_program(bert_of(3)))) + 12 * 80


def test_names_that_tell_layers_apart_are_kept() -> None:
    network = mlp(drawn(3))
    weights = [op for op in nn.body_of(network.module) if isinstance(op, nn.WeightOp)]
    called = {op.weight.data: f"decoder.{i}.gate" for i, op in enumerate(weights)}
    values = {called[key]: value for key, value in network.weights.items() if key in called}
    for op in weights:
        op.weight = StringAttr(called[op.weight.data])
    program = build_program(replace(network, weights=values))
    assert list(program.weights) == ["decoder.0.gate", "decoder.1.gate", "decoder.2.gate"]
    assert 'w["gate"]' in source_of(program)
    assert 'part_of(w, "decoder.2.")' in source_of(program)


def test_what_all_layers_use_is_an_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    x, m = np.random.default_rng(1).standard_normal((2, 4, 16)).astype(np.float32)
    text = source_of(require_equal(mlp(drawn(4), mask=True), monkeypatch, x, m))
    assert "def layer_1(w: dict[str, Array], x: Array, x_2: Array) -> Array:" in text


@pytest.mark.parametrize("also", [0, 1, 3])
def test_what_one_layer_gives_all_give(also: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, m = np.random.default_rng(1).standard_normal((2, 4, 16)).astype(np.float32)
    text = source_of(require_equal(mlp(drawn(4), also=also), monkeypatch, x, m))
    assert "-> tuple[Array, ...]:" in text
    assert len(re.findall(r"    _, \w+ = layer_1\(|    \w+, _ = layer_1\(", text)) == 3


def test_a_weight_that_layers_share_is_an_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    x, m = np.random.default_rng(1).standard_normal((2, 4, 16)).astype(np.float32)
    (w,) = drawn(1)
    program = require_equal(mlp([w, w, w]), monkeypatch, x, m)
    assert len(program.weights) == 1


def test_other_shapes_are_no_repeat() -> None:
    import jax.numpy as jnp

    def apply(x):
        for size in (8, 12, 20):
            x = jnp.sin(x @ np.ones((x.shape[1], size), np.float32))
            x = x * jnp.exp(jnp.cos(x + jnp.tanh(x)))
        return x

    program = build_program(read_jax(apply, (np.zeros((4, 16), np.float32),)))
    assert "def layer_1" not in source_of(program)


def test_names_of_the_network_that_look_like_ours_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    x, m = np.random.default_rng(1).standard_normal((2, 4, 16)).astype(np.float32)
    network = mlp(drawn(3))
    weights = [op for op in nn.body_of(network.module) if isinstance(op, nn.WeightOp)]
    called = {op.weight.data: name for op, name in zip(weights, ("a", "b", "layer_1.0.a"), strict=True)}
    values = {called[key]: value for key, value in network.weights.items() if key in called}
    for op in weights:
        op.weight = StringAttr(called[op.weight.data])
    program = require_equal(replace(network, weights=values), monkeypatch, x, m)
    assert list(program.weights) == ["layer_1_.0.a", "layer_1_.1.a", "layer_1_.2.a"]
