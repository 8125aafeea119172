"""Errors of three small networks against float64, by precision and executor: the tables of docs/numerics.md.

python -m dovetail.benchmarks.numerics             # in JAX
python -m dovetail.benchmarks.numerics --triton    # in Triton's interpreter, for an H100: minutes for each network
python -m dovetail.benchmarks.numerics --floor 6   # what is left of bf16 where operands of products alone are rounded
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from xdsl.dialects.builtin import BFloat16Type

from dovetail.backends.placed.errors import errors_of, rounded
from dovetail.backends.placed.verify import random_inputs, verify
from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.passes.nn.draft import Draft
from dovetail.passes.target import simplify
from dovetail.program import Program, compile

PRECISIONS = ("fp32", "bf16", "fp16", "int8", "int4", "bf16,weights=int4")
PRODUCTS = (nn.MatmulOp, nn.GemmOp, nn.ConvOp, nn.AttentionOp)
GPU = "devices:\n  gpu: {model: h100-sxm, count: 1, price: {rent: 2 USD/h}}\n"
HIDDEN, TOKENS = 256, 32
BERT = {
    "architectures": ["BertModel"], "model_type": "bert", "vocab_size": 512, "hidden_size": HIDDEN,
    "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 4 * HIDDEN, "hidden_act": "gelu",
    "max_position_embeddings": 64, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
}  # fmt: skip
LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 512, "hidden_size": HIDDEN,
    "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 3 * HIDDEN,
    "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
}  # fmt: skip


def cnn(x):
    """Three convolutions of 3 x 3, global means, and a product: seeded weights of unit gain."""
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(0)
    channels = (3, 32, 64, 128)
    for before, after in itertools.pairwise(channels):
        w = (rng.standard_normal((after, before, 3, 3)) * np.sqrt(2 / (9 * before))).astype(np.float32)
        x = jax.nn.relu(jax.lax.conv_general_dilated(x, w, (2, 2), "SAME"))
    w = (rng.standard_normal((channels[-1], 10)) / np.sqrt(channels[-1])).astype(np.float32)
    return jnp.mean(x, axis=(2, 3)) @ w


def networks(folder: Path) -> Iterator[tuple[str, Callable[..., Program]]]:
    """(name, how it is compiled with further options)."""
    for name, config in (("BERT layer", BERT), ("Llama block", LLAMA)):
        path = folder / name.split()[0] / "config.json"
        path.parent.mkdir()
        path.write_text(json.dumps(config))
        yield name, lambda path=path, **options: compile(path, sizes={"batch": 1, "tokens": TOKENS}, **options)
    image = np.random.default_rng(0).standard_normal((1, 3, 32, 32)).astype(np.float32)
    yield "small CNN", lambda **options: compile(cnn, example_inputs=(image,), **options)


def floor(network: nn.NnModule, narrow: nn.Tensor, inputs: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """What `network` gives in float64 where matrices alone that products and attention take are rounded."""
    kind = narrow.element_type
    draft = Draft(network.module.clone(), dict(network.weights))
    for op in draft.ops:
        if isinstance(op, PRODUCTS):
            for index, value in enumerate(op.operands[: 3 if isinstance(op, nn.AttentionOp) else 2]):
                op.operands[index] = draft.emit(op, nn.CastOp, value, type=nn.tensor(kind, nn.shape_of(value)), at=[op])

    def keep(type: nn.Tensor, values: np.ndarray) -> np.ndarray:
        return rounded(type, values) if type.element_type == kind else values

    return interpret(draft.module, inputs, draft.weights, keep=keep)


def print_floor(seeds: int) -> None:
    """The smallest and the largest relative error of the worse output, and of the program in JAX."""
    print("| network | operands of products alone | as compiled | by rounding |\n|---|---|---|---|")
    with TemporaryDirectory() as at:
        for name, build in networks(Path(at)):
            rows: list[tuple[float, ...]] = []
            program = build(precision="bf16").network
            (step,) = program.steps
            for seed in range(seeds):
                inputs = random_inputs(program, seed)
                exact = interpret(step.network.module, inputs, step.network.weights)
                made = floor(simplify(step.network), nn.tensor(BFloat16Type(), ()), inputs)
                least = max(errors_of(a, b).relative for a, b in zip(made, exact, strict=True))
                (piece,) = verify(program, seed=seed, along=False)["pieces"]
                both = (max(row[key] for row in piece["outputs"]) for key in ("relative_error", "by_rounding"))
                rows.append((least, *both))
            cells = (f"{min(column):.1e} to {max(column):.1e}" for column in zip(*rows, strict=True))
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


def print_rows(fleet_text: str | None) -> None:
    print("| network | precision | executor | relative error | by rounding | SNR |\n|---|---|---|---|---|---|")
    with TemporaryDirectory() as at:
        folder = Path(at)
        if fleet_text is not None:
            (folder / "fleet.yaml").write_text(fleet_text)
        fleet = folder / "fleet.yaml" if fleet_text is not None else None
        for name, build in networks(folder):
            for precision in (*PRECISIONS, *(("fp8",) if fleet else ())):
                (piece,) = verify(build(precision=precision, fleet=fleet).network, along=False)["pieces"]
                row = max(piece["outputs"], key=lambda each: each["relative_error"] or 0.0)
                executor = piece["executor"].partition(":")[0]
                ideal = f"{row['by_rounding']:.1e}" if "by_rounding" in row else "-"
                error = f"{row['relative_error']:.1e} | {ideal} | {row['snr_db']:.0f} dB"
                print(f"| {name} | {precision} | {executor} | {error} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--triton", action="store_true", help="in Triton's interpreter")
    parser.add_argument("--floor", type=int, metavar="SEEDS", help="of bf16, over so many inputs")
    arguments = parser.parse_args()
    if arguments.floor:
        print_floor(arguments.floor)
    else:
        print_rows(GPU if arguments.triton else None)


if __name__ == "__main__":
    main()
