"""Networks to run on a scratchpad, and what their operators give without one."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dovetail.backends.scratchpad_program.execute import BuiltProgram
from dovetail.backends.scratchpad_program.machine import At
from dovetail.ir import nn
from dovetail.ir.read.huggingface import read_config
from dovetail.ir.weights import fill_weights
from dovetail.passes.target import lower_for_target

DECODER = {
    "architectures": ["LlamaForCausalLM"], "vocab_size": 31, "hidden_size": 16, "num_hidden_layers": 1,
    "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 24, "hidden_act": "silu",
    "rms_norm_eps": 1e-5,
}  # fmt: skip


class Plain:
    """Runs the operators of a program on arrays of their own: addresses mean nothing, nothing is loaded or freed."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.arrays = arrays

    def run(
        self, function: Callable[..., Any], reads: Sequence[Any], writes: Sequence[At], over: Sequence[str] = ()
    ) -> None:
        given = [r if isinstance(r, np.ndarray) else self.arrays[r.tensor].reshape(r.shape) for r in reads]
        results = function(*given)
        for at, result in zip(writes, results if isinstance(results, tuple) else (results,), strict=True):
            self.arrays[at.tensor] = np.asarray(result).astype(at.dtype)

    def load(self, address: int, tensor: str) -> None: ...

    def store(self, address: int, tensor: str) -> None: ...

    def free(self, *tensors: str) -> None: ...


Run = Callable[[BuiltProgram, Sequence[np.ndarray]], list[np.ndarray]]


@pytest.fixture
def run_plain() -> Run:
    """The outputs of a program for inputs in graph order, its operators run without a scratchpad."""

    def run(built: BuiltProgram, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        ends = zip(built.program.inputs.values(), inputs, strict=True)
        plain = Plain({**built.source.weights, **{end.tensor: given.astype(end.dtype) for end, given in ends}})
        getattr(built.module, built.program.name)(plain, built.source.weights)
        return [plain.arrays[end.tensor].reshape(end.shape) for end in built.program.outputs.values()]

    return run


@pytest.fixture(scope="session")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> nn.NnModule:
    """A small Llama block with its embedding and head, 6 tokens of prefill, lowered for an NPU."""
    path = tmp_path_factory.mktemp("decoder") / "config.json"
    path.write_text(json.dumps(DECODER))
    network = fill_weights(read_config(Path(path), batch=1, sequence=6, mode="prefill"), seed=1)
    return lower_for_target(network, "npu")


@pytest.fixture
def draw() -> Callable[[BuiltProgram], list[np.ndarray]]:
    """Seeded inputs of a program, in graph order; integers are below 31."""

    def inputs(built: BuiltProgram) -> list[np.ndarray]:
        rng = np.random.default_rng(0)
        return [
            rng.integers(0, 31, end.shape) if "int" in end.dtype else rng.standard_normal(end.shape).astype(end.dtype)
            for end in built.program.inputs.values()
        ]

    return inputs
