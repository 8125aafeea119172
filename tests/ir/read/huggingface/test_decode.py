"""A prefill and sixteen decode steps, each on the caches of the one before, equal one run over all tokens."""

from __future__ import annotations

import numpy as np
import pytest

DECODERS = [
    "llama", "llama3", "mistral", "qwen2", "qwen3", "mixtral", "qwen3_moe", "gemma2", "gemma3", "deepseek2",
    "deepseek3", "gpt2", "whisper",
]  # fmt: skip
PROMPT, STEPS, BATCH = 4, 16, 2


def named(network, ids: np.ndarray, first: int, more: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The inputs of `network` for tokens `ids` from the place `first` on."""
    words = next(name for name in network.input_names if name.endswith("input_ids"))
    places = np.broadcast_to(np.arange(first, first + ids.shape[1]), ids.shape)
    return {words: ids, words.replace("input", "position"): places, **more}


@pytest.mark.parametrize("family", DECODERS)
def test_decode_steps_equal_full_recomputation(family, configs, network, run) -> None:
    config = configs[family]
    prefill = network(config, batch="batch", sequence="seq")
    decode = network(config, batch="batch", sequence="seq", mode="decode")
    rng = np.random.default_rng(5)
    ids = rng.integers(0, config["vocab_size"], (BATCH, PROMPT + STEPS))
    sound = {"input_features": rng.normal(size=(BATCH, 5, 12))} if family == "whisper" else {}
    whole = run(prefill, named(prefill, ids, 0, sound))
    caches = run(prefill, named(prefill, ids[:, :PROMPT], 0, sound))
    heard = {name: each for name, each in caches.items() if ".encoder." in name}
    np.testing.assert_allclose(caches["logits"], whole["logits"][:, :PROMPT], rtol=1e-9, atol=1e-11)
    for place in range(PROMPT, PROMPT + STEPS):
        past = {name.replace("present", "past_key_values"): each for name, each in {**caches, **heard}.items()}
        caches = run(decode, named(decode, ids[:, place : place + 1], place, past))
        np.testing.assert_allclose(caches["logits"][:, 0], whole["logits"][:, place], rtol=1e-8, atol=1e-10)
    for name, each in caches.items():
        if name != "logits":
            np.testing.assert_allclose(each, whole[name], rtol=1e-8, atol=1e-10)
