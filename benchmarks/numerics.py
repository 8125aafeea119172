"""Errors of three small networks against float64, by precision and executor: the table of docs/numerics.md.

python -m dovetail.benchmarks.numerics
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from dovetail.program import Program, compile

PRECISIONS = ("fp32", "bf16", "fp16", "int8", "int4", "bf16,weights=int8", "bf16,weights=int4")
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


def main() -> None:
    print("| network | precision | executor | relative error | SNR |\n|---|---|---|---|---|")
    with TemporaryDirectory() as at:
        folder = Path(at)
        (folder / "fleet.yaml").write_text(GPU)
        for name, build in networks(folder):
            for precision in PRECISIONS:
                for fleet in (None, folder / "fleet.yaml"):
                    found = build(precision=precision, fleet=fleet).verify()
                    row = max(found["whole"]["outputs"], key=lambda each: each["relative_error"] or 0.0)
                    executor = found["pieces"][0]["executor"].partition(":")[0]
                    error = f"{row['relative_error']:.1e} | {row['snr_db']:.0f} dB"
                    print(f"| {name} | {precision} | {executor} | {error} |", flush=True)


if __name__ == "__main__":
    main()
