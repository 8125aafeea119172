"""
Whole networks through `dovetail.compile` on each kind of device, and split over all three, against float64.

Beside the outputs a dozen tensors along the way are compared, where nothing is split. What Triton's interpreter runs is
thin (`examples/whole_networks.py`): every operator and the depth of the network, in few channels and tokens.

The default suite has networks of each way that take few seconds of processor time; all the rest is slow.
`docs/compile_models.md` has what was measured.
"""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.ir.read.jaxpr import read_jax
from dovetail.passes.pieces.emit import working_ops
from dovetail.passes.pieces.prepare import prepare
from examples.jax_models import llama, parameters
from examples.whole_networks import WHOLE, with_more_outputs

ALONG = 12
"""tensors along the way"""
RENT = "price: {rent: 1 USD/h}"
FLEETS = {
    "cpu": f"cpu: {{kind: cpu, cores: 8, memory: 8 GB, bandwidth: 20 GB/s, flops: {{fp32: 1 TFLOP/s}}, {RENT}}}",
    "gpu": f"gpu: {{model: h100-sxm, {RENT}}}",
    "npu": f"npu: {{kind: npu, memory: 8 GB, bandwidth: 9GB/s, flops: {{fp32: 5 TFLOP/s}}, scratchpad: 64MiB, {RENT}}}",
}
EXECUTORS = {"cpu": "jax on cpu", "gpu": "triton (interpreter)", "npu": "scratchpad machine of 67108864 bytes"}
needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="needs the extra dovetail[triton]")


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text("devices:\n" + "".join(f"  {line}\n" for line in FLEETS.values()))
    return path


def hold(found: tuple[np.ndarray, ...], network: nn.NnModule, inputs: tuple[np.ndarray, ...]) -> None:
    """To 1e-5 of the largest element of each output."""
    expected = interpret(network.module, inputs, network.weights)
    for name, y, x in zip(network.output_names, found, expected, strict=True):
        np.testing.assert_allclose(y, x, rtol=0, atol=1e-5 * float(np.abs(x).max()), err_msg=name)


def on_one(name: str, kind: str, thin: bool, fleet: Path) -> None:
    """Every op on the device of that kind, and nothing but its own executor at work."""
    whole = WHOLE[name](thin)
    network = with_more_outputs(whole.network, ALONG)
    program = dovetail.compile(network, fleet=fleet, placement=[kind] * len(working_ops(prepare(network))))
    assert [text for _, text in program.trace] == [EXECUTORS[kind]]
    hold(program(*whole.inputs), network, whole.inputs)


def quick(*names: str) -> list[Any]:
    """All networks, of which all but those are slow."""
    return [pytest.param(name, marks=[] if name in names else pytest.mark.slow) for name in WHOLE]


@pytest.mark.parametrize("name", quick("llama_block", "squeezenet"))
def test_a_whole_network_on_a_cpu(name: str, fleet: Path) -> None:
    on_one(name, "cpu", False, fleet)


@pytest.mark.parametrize("name", quick("llama_block"))
def test_a_whole_network_on_an_npu(name: str, fleet: Path) -> None:
    on_one(name, "npu", False, fleet)


@pytest.mark.parametrize("name", quick("mixtral_block", "vgg19", "zfnet512", "llama_decode"))
def test_a_thin_network_on_an_npu(name: str, fleet: Path) -> None:
    on_one(name, "npu", True, fleet)


@needs_triton
@pytest.mark.parametrize("name", quick("llama_block", "llama_decode", "mixtral_block", "zfnet512", "bvlc_alexnet"))
def test_a_thin_network_on_a_gpu(name: str, fleet: Path) -> None:
    on_one(name, "gpu", True, fleet)


@needs_triton
@pytest.mark.parametrize("name", quick("llama_block", "mixtral_block", "bvlc_alexnet"))
def test_a_thin_network_split_over_three_kinds(name: str, fleet: Path) -> None:
    whole = WHOLE[name](True)
    count = len(working_ops(prepare(whole.network)))
    third = count // 3
    placement = ["gpu"] * third + ["npu"] * third + ["cpu"] * (count - 2 * third)
    program = dovetail.compile(whole.network, fleet=fleet, placement=placement)
    assert [text for _, text in program.trace] == [EXECUTORS[kind] for kind in ("gpu", "npu", "cpu")]
    hold(program(*whole.inputs), whole.network, whole.inputs)


PROMPT, TOKENS = 4, 16


@needs_triton
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cpu", "npu", "gpu"])
def test_a_prompt_and_16_tokens_from_the_cache_are_the_whole_again(kind: str, fleet: Path) -> None:
    """Each token's state, of a Llama block that keeps keys and values, is that of reading all of them at once."""
    config = llama.SMALL
    p = parameters(llama.shapes(config))
    x = np.random.default_rng(0).standard_normal((1, PROMPT + TOKENS, config.width), dtype=np.float32)

    def run(function: Any, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        network = read_jax(function, inputs)
        count = len(working_ops(prepare(network)))
        program = dovetail.compile(network, fleet=fleet, placement=[kind] * count)
        assert [text for _, text in program.trace] == [EXECUTORS[kind]]
        return program(*inputs)

    whole, *_ = run(partial(llama.forward, config, p), x)
    states, k, v = run(partial(llama.forward, config, p), x[:, :PROMPT])
    for at in range(PROMPT, PROMPT + TOKENS):
        state, k, v = run(lambda x, k, v: llama.forward(config, p, x, (k, v)), x[:, at : at + 1], k, v)
        states = np.concatenate([states, state], axis=1)
    np.testing.assert_allclose(states, whole, rtol=0, atol=1e-5 * float(np.abs(whole).max()))
