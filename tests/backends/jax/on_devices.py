"""
Sharded programs in a process of its own with several CPU devices; prints a JSON row for each:

    python on_devices.py

`whole` and `parts` are the largest differences from the unsharded program and from the reference meaning of what the
ranks do, over the largest value; `planned` and `compiled` count collectives, in the program and in what XLA made of it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import jax
import numpy as np
from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import Block, SSAValue

from dovetail.backends.jax.frame import jitted
from dovetail.backends.jax.program import build_program, build_sharded
from dovetail.costmodel.hardware import find_device
from dovetail.ir import nn
from dovetail.ir.read.huggingface import read_config
from dovetail.ir.weights import fill_weights
from dovetail.passes.shard.apply import SpmdNetwork, apply_decision
from dovetail.passes.shard.decision import Decision, Way
from dovetail.passes.shard.signatures import Mesh
from dovetail.passes.shard.states import State
from dovetail.planner.partition.plan import plan_partition

RANKS = 4
MESH = Mesh("tp", RANKS)
KINDS = {
    "all-reduce": "all_reduce", "all-gather": "all_gather", "reduce-scatter": "reduce_scatter",
    "all-to-all": "all_to_all", "collective-permute": "permute",
}  # fmt: skip
LLAMA = {
    "architectures": ["LlamaForCausalLM"], "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 8, "num_key_value_heads": 4, "intermediate_size": 64, "hidden_act": "silu",
    "rms_norm_eps": 1e-5, "rope_theta": 1000.0,
}  # fmt: skip


def decoder(mode: str) -> nn.NnModule:
    """A small Llama with seeded weights."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(LLAMA))
        return fill_weights(read_config(path, batch=1, sequence=8, mode=mode), seed=1)


def planned(network: nn.NnModule, memory_bytes: int) -> SpmdNetwork:
    """As the planner shares it among devices of so much memory."""
    device = find_device("h100-sxm")
    assert device is not None
    return plan_partition(network, RANKS, device, memory_bytes)[1]


def products(ways: tuple[str, ...], end: str) -> SpmdNetwork:
    """tanh(x @ w) with the given ways of the weight, the product and the tanh, and the output as `end`."""
    block = Block(arg_types=[TensorType(f32, [8, 16])])
    w = nn.WeightOp.make(type=TensorType(f32, [16, 8]), weight="w")
    product = nn.MatmulOp.make(block.args[0], w.result)
    last = nn.TanhOp.make(product.result)
    block.add_ops([w, product, last])
    values = {"w": np.random.default_rng(2).normal(size=(16, 8)).astype(np.float32) / 4}
    network = nn.NnModule(nn.build_main(block, [last.result]), values, ("x",), ("y",))
    return apply_decision(network, Decision(MESH, (State("B"),), tuple(map(Way.read, ways)), (State.read(end),)))


def largest_of_rows() -> SpmdNetwork:
    """The largest of each column, by parts of the rows."""
    block = Block(arg_types=[TensorType(f32, [8, 3])])
    last = nn.ReduceOp.make(block.args[0], kind="max", axes=(0,))
    block.add_op(last)
    network = nn.NnModule(nn.build_main(block, [last.result]), {}, ("x",), ("y",))
    return apply_decision(network, Decision(MESH, (State.read("S(0)"),), (Way.read("S(0)->P(max)"),), (State("B"),)))


def around() -> SpmdNetwork:
    """Each rank sends its part to the next, but the last, and adds its own number; the first gets zeros."""
    whole = Block(arg_types=[TensorType(f32, [8, 3])])
    network = nn.NnModule(nn.build_main(whole, [whole.args[0]]), {}, ("x",), ("y",))
    block = Block(arg_types=[TensorType(f32, [2, 3])])
    sent = nn.PermuteOp.make(block.args[0], sources=(0, 1, 2), targets=(1, 2, 3), mesh="tp", ranks=RANKS)
    rank = nn.RankOp.make(mesh="tp", ranks=RANKS)
    number = nn.CastOp.make(rank.result, type=TensorType(f32, []))
    last = nn.AddOp.make(sent.result, number.result)
    block.add_ops([sent, rank, number, last])
    split = State.read("S(0)")
    return SpmdNetwork(nn.build_main(block, [last.result]), MESH, network, (split,), (split,), {})


def cases() -> Iterator[tuple[str, SpmdNetwork]]:
    """Networks that the planner shares, and one for each collective."""
    yield "prefill", planned(decoder("prefill"), 60_000)
    yield "decode", planned(decoder("decode"), 40_000)
    yield "all-reduce", products(("->S(0)", "S(1),S(0)->P(sum)", "B->B"), "B")
    yield "reduce-scatter", products(("->S(0)", "S(1),S(0)->P(sum)", "S(1)->S(1)"), "S(1)")
    yield "all-gather", products(("->S(1)", "B,S(1)->S(1)", "S(1)->S(1)"), "B")
    yield "all-to-all", products(("->S(1)", "B,S(1)->S(1)", "S(0)->S(0)"), "S(0)")
    yield "largest", largest_of_rows()
    yield "permute", around()


def inputs_of(network: nn.NnModule) -> list[np.ndarray]:
    """Seeded inputs; integers are small."""
    rng = np.random.default_rng(3)

    def one(value: SSAValue) -> np.ndarray:
        type = nn.tensor_type(value)
        if nn.is_float(type.element_type):
            return rng.normal(size=nn.shape_of(value)).astype(np.float32)
        return rng.integers(0, 8, nn.shape_of(value), dtype=np.int32)

    return [one(value) for value in nn.main_of(network.module).args]


def difference(found: tuple[np.ndarray, ...], wanted: tuple[np.ndarray, ...]) -> float:
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(found, wanted, strict=True))


def compiled_kinds(program: SpmdNetwork, source: str, inputs: list[np.ndarray]) -> Counter[str]:
    """Collectives in what XLA compiles."""
    namespace: dict[str, object] = {"__file__": "net.py"}
    exec(source, namespace)
    weights = {name: program.whole.weights[name] for name in program.weights}
    with jax.enable_x64(True):
        text = jitted(namespace["net"]).lower(weights, *inputs).compile().as_text()
    return Counter(KINDS[kind] for kind in re.findall(rf" ({'|'.join(KINDS)})(?:-start)?\(", text))


def main() -> None:
    jax.config.update("jax_num_cpu_devices", RANKS)
    for name, program in cases():
        inputs = inputs_of(program.whole)
        made = build_sharded(program, "net")
        found = made(*inputs)
        ops = [op.name.removeprefix("nn.") for op in nn.body_of(program.module)]
        row = {
            "case": name,
            "whole": difference(found, build_program(program.whole, "net")(*inputs)),
            "parts": difference(found, program.run(inputs)),
            "planned": dict(sorted(Counter(op for op in ops if op in KINDS.values()).items())),
            "compiled": dict(sorted(compiled_kinds(program, made.sources["net.py"], inputs).items())),
            "trace": made.trace[0][1],
        }
        print(json.dumps(row))


if __name__ == "__main__":
    main()
