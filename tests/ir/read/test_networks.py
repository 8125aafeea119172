"""Networks in files: what a config.json needs besides, and the weights that it does not have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dovetail import compile
from dovetail.cli import main
from dovetail.costmodel.tensor_graph import precision, weight_bytes
from dovetail.driver import plan
from dovetail.ir import nn
from dovetail.ir.diagnostics import InputError
from dovetail.ir.interpret import interpret
from dovetail.ir.read.networks import read_network, with_weights

CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"], "vocab_size": 31, "hidden_size": 24, "num_hidden_layers": 1,
    "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 20, "hidden_act": "silu",
    "rms_norm_eps": 1e-5, "rope_theta": 1000.0,
}  # fmt: skip
FLEET = (
    "devices: {gpu: {kind: gpu, memory: 8 GB, bandwidth: 100 GB/s, flops: {fp16: 10 TFLOP/s}, price: {rent: 1 USD/h}}}"
)
VIT: dict[str, Any] = {
    "architectures": ["ViTModel"], "image_size": 8, "patch_size": 4, "hidden_size": 24, "num_hidden_layers": 1,
    "num_attention_heads": 3, "intermediate_size": 20,
}  # fmt: skip


def write(folder: Path, config: dict[str, Any], **changed: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps({**config, **changed}))
    return path


def test_a_config_needs_its_tokens_and_images_have_none(tmp_path: Path) -> None:
    path = write(tmp_path, CONFIG)
    with pytest.raises(InputError, match="has open sizes: tokens"):
        read_network(path)
    args = nn.main_of(read_network(path, {"batch": 2, "tokens": 7}).module).args
    assert [nn.shape_of(arg) for arg in args] == [(2, 7), (2, 7)]
    assert nn.shape_of(nn.main_of(read_network(write(tmp_path, VIT)).module).args[0]) == (1, 3, 8, 8)


def test_weights_are_seeded_unless_there_are_too_many(tmp_path: Path) -> None:
    network = read_network(write(tmp_path, CONFIG), {"tokens": 4})
    first, second = with_weights(network).weights, with_weights(network).weights
    assert first.keys() == {op.weight.data for op in nn.body_of(network.module) if isinstance(op, nn.WeightOp)}
    assert all(np.array_equal(each, second[name]) for name, each in first.items())
    large = read_network(write(tmp_path, CONFIG, vocab_size=10**8), {"tokens": 4})
    with pytest.raises(InputError, match=r"4.8e\+09 weights without values are too many"):
        with_weights(large)


@pytest.mark.parametrize(
    ("dtype", "name", "size"), [("bfloat16", "bf16", 2), ("float16", "fp16", 2), ("float32", "fp32", 4)]
)
def test_the_precision_is_that_of_most_weights(dtype: str, name: str, size: int, tmp_path: Path) -> None:
    network = read_network(write(tmp_path, CONFIG, torch_dtype=dtype), {"tokens": 4})
    assert precision(network) == name
    assert weight_bytes(network) == size * (2 * 31 * 24 + 2 * 24 * 24 + 2 * 24 * 12 + 3 * 24 * 20 + 3 * 24)


def test_a_compiled_config_gives_what_the_interpreter_gives(tmp_path: Path) -> None:
    path = write(tmp_path, CONFIG)
    program = compile(path, sizes={"batch": 2, "tokens": 5})
    ids = np.random.default_rng(0).integers(0, 31, (2, 5))
    places = np.broadcast_to(np.arange(5), ids.shape)
    network = with_weights(read_network(path, {"batch": 2, "tokens": 5}))
    expected = interpret(network.module, [ids, places], network.weights)
    for got, must in zip(program(ids, places), expected, strict=True):
        np.testing.assert_allclose(got, must, rtol=1e-4, atol=1e-5)


def test_a_config_is_planned_alone_and_in_a_graph(tmp_path: Path) -> None:
    path, fleet = write(tmp_path, CONFIG), tmp_path / "fleet.yaml"
    fleet.write_text(FLEET)
    alone = plan(path, fleet=fleet, sizes={"tokens": 64})
    assert [p["device"] for p in alone.document["placements"]] == ["gpu"]
    node = "{kind: model, graph: config.json, tokens: 64}"
    graph = tmp_path / "graph.yaml"
    graph.write_text(f"version: 1\nname: g\nnodes: {{a: {node}}}\n")
    inside = plan(graph, fleet=fleet)
    assert inside.document["objective"] == alone.document["objective"]
    with pytest.raises(InputError, match="sizes are given, and the graph has its own"):
        plan(graph, fleet=fleet, sizes={"tokens": 64})
    graph.write_text(f"version: 1\nname: g\nnodes: {{a: {node}, b: {node.replace('64', '65')}}}\nedges: [a -> b]\n")
    with pytest.raises(InputError, match="at several sizes in one graph"):
        plan(graph, fleet=fleet)


def test_sizes_of_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = write(tmp_path, CONFIG), tmp_path / "out"
    assert main(["compile", str(path), "--sizes", "batch=2,tokens=5", "-o", str(out)]) == 0
    assert "input_ids (2, 5)" in (out / "jax" / "network" / "network.py").read_text()
    for wrong in ("tokens", "tokens=0", "tokens=5,tokens=6", "batch=1.5"):
        with pytest.raises(SystemExit):
            main(["compile", str(path), "--sizes", wrong, "-o", str(out)])
        assert "argument --sizes:" in capsys.readouterr().err
    assert main(["compile", str(path), "--sizes", "words=5", "-o", str(out)]) == 1
    assert "has no size `words`" in capsys.readouterr().err
