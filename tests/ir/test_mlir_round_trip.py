"""
Modules of every level, at every stage of the pipelines, go through MLIR's own passes and come back the same.

The same: it verifies with ours, is equal op by op (MLIR sorts attributes by name), and every op has its location. Where
a network can be run, the interpreter gives the same bits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp, UnknownLoc

import dovetail
from dovetail.costmodel.hardware import find_device
from dovetail.ir import mlir, nn
from dovetail.ir.interpret import interpret
from dovetail.ir.mlir import CLEANUP, find_bindings, verify_in_mlir
from dovetail.ir.random_networks import random_network
from dovetail.ir.read.huggingface import read_config
from dovetail.ir.read.inputs import read_inputs
from dovetail.ir.text import parse_module, print_module
from dovetail.ir.verify import verify_module
from dovetail.passes import NN_PIPELINE, PIPELINE, TARGET_PIPELINE, find_pass, run_passes
from dovetail.passes.apply_plan import apply_plan
from dovetail.passes.nn import PASSES, run
from dovetail.passes.pieces.emit import cut_into_pieces
from dovetail.passes.shard.apply import apply_decision
from dovetail.passes.shard.signatures import Mesh
from dovetail.planner.partition.check import taken
from dovetail.planner.partition.solve import solve
from dovetail.planner.partition.to_problem import pose

BINDINGS = find_bindings()
pytestmark = pytest.mark.skipif(BINDINGS is None or BINDINGS.irdl is None, reason=mlir.INSTALL)

EXAMPLES = Path(__file__).parents[2] / "examples"
WORKFLOWS = sorted(folder.name for folder in EXAMPLES.iterdir() if (folder / "graph.yaml").is_file())


def there_and_back(module: ModuleOp) -> ModuleOp:
    """`module` after MLIR's own passes, held to what it was."""
    text = print_module(module, generic=True, locations=True)
    back = parse_module(verify_in_mlir(text, passes=CLEANUP), "mlir.mlir")
    verify_module(back, "what MLIR printed")
    assert back.is_structurally_equivalent(module)
    for ours, theirs in zip(module.walk(), back.walk(), strict=True):
        assert ours.location == theirs.location or isinstance(ours.location, UnknownLoc)
    return back


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_at_each_stage(name: str) -> None:
    module = read_inputs(EXAMPLES / name)[0].module
    there_and_back(module)
    for stage in ("merge-equal-calls", *(name for name, _ in PIPELINE)):
        run_passes(module, [find_pass(stage)()])
        there_and_back(module)
    unrolled = read_inputs(EXAMPLES / name)[0].module
    run_passes(unrolled, [find_pass("unroll-loops")()])
    there_and_back(unrolled)


@pytest.mark.parametrize("name", ["rag", "table3", "voice_agent"])
def test_a_plan(name: str) -> None:
    plan = dovetail.plan(EXAMPLES / name)
    module = read_inputs(EXAMPLES / name)[0].module
    run_passes(module, [find_pass(stage)() for stage, _ in PIPELINE])
    apply_plan(module, plan.document)
    assert "plan.place" in print_module(there_and_back(module))


def classifier() -> nn.NnModule:
    from dovetail.ir.read.onnx import read_onnx

    return read_onnx(EXAMPLES / "classifier/classifier.onnx")


def in_jax(name: str) -> nn.NnModule:
    """A network of `examples/jax_models` at its small size."""
    from importlib import import_module

    from dovetail.ir.read.jaxpr import read_jax
    from examples.jax_models import parameters

    model = import_module(f"examples.jax_models.{name.removesuffix('_experts')}")
    config = model.SMALL_EXPERTS if name.endswith("_experts") else model.SMALL
    rng = np.random.default_rng(3)
    inputs: dict[str, Any] = {
        "vit": rng.normal(size=(2, 3, 16, 16)).astype(np.float32),
        "llama": rng.normal(size=(2, 5, 32)).astype(np.float32),
    }
    given = inputs.get(name.removesuffix("_experts"), rng.integers(0, 50, size=(2, 7)).astype(np.int32))
    return read_jax(partial(model.forward, config, parameters(model.shapes(config))), (given,))


NETWORKS: dict[str, Callable[[], nn.NnModule]] = {"classifier": classifier} | {
    name: partial(in_jax, name) for name in ("bert", "gpt2", "llama", "llama_experts", "vit")
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> nn.NnModule:
    return NETWORKS[request.param]()


def inputs_of(network: nn.NnModule) -> list[np.ndarray]:
    """Numbers that fit: small whole ones, which are places in every table too."""
    rng = np.random.default_rng(7)
    return [rng.integers(0, 10, size=nn.shape_of(arg)) for arg in nn.main_of(network.module).body.block.args]


def stages(network: nn.NnModule) -> Iterator[nn.NnModule]:
    """`network` as it is read, and after each pass in the order of the pipelines of a GPU."""
    yield network
    for name, _ in (*NN_PIPELINE, *TARGET_PIPELINE["gpu"]):
        network, _ = run(network, [name])
        yield network


def test_a_network_at_each_stage(network: nn.NnModule) -> None:
    for stage in stages(network):
        back = there_and_back(stage.module)
        if stage is network:
            given = inputs_of(network)
            ran = [interpret(module, given, network.weights) for module in (network.module, back)]
            assert all(np.array_equal(ours, theirs) for ours, theirs in zip(*ran, strict=True))


@pytest.mark.parametrize("name", ["bert", "llama_experts"])
def test_a_network_in_pieces_and_shared_out(name: str) -> None:
    network, device = in_jax(name), find_device("h100-sxm")
    assert device is not None
    there_and_back(cut_into_pieces(network, 3, device).module)
    posed = pose(network, Mesh("tp", 2), device)
    whole = taken(posed.problem, [0] * len(posed.problem.steps)).peak_bytes
    ways = solve(replace(posed.problem, memory_bytes=0.8 * whole)).ways
    program = there_and_back(apply_decision(network, posed.decision(ways)).module)
    assert any(isinstance(op, nn.CollectiveOp) for op in program.walk())


LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 50,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "hidden_act": "silu",
    "torch_dtype": "bfloat16",
}


def test_a_network_of_open_sizes(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    network = read_config(tmp_path / "config.json", batch="batch", sequence="tokens")
    assert nn.open_names(network.module) == {"batch", "tokens"}
    for stage in stages(network):
        there_and_back(stage.module)


@pytest.mark.parametrize("name", ["squeezenet", "shufflenet", "resnet50", "inception_v2"])
def test_a_published_network(name: str) -> None:
    import onnx

    from dovetail.ir.read.onnx import read_onnx

    light = Path(onnx.__file__).parent / "backend/test/data/light"
    network = read_onnx(light / f"light_{name}.onnx")
    there_and_back(network.module)
    there_and_back(run(network, [name for name, _ in (*NN_PIPELINE, *TARGET_PIPELINE["gpu"])])[0].module)


@pytest.mark.parametrize("seed", range(40))
def test_random_networks_and_what_a_pass_makes_of_them(seed: int) -> None:
    case = random_network(seed)
    changed, _ = run(case.network, [PASSES[seed % len(PASSES)]])
    for network in (case.network, changed):
        back = nn.NnModule(there_and_back(network.module), network.weights, (), ())
        assert all(np.array_equal(a, b) for a, b in zip(case.run(network), case.run(back), strict=True))
