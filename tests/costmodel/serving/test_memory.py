"""Memory of one device of a replica, by hand."""

from __future__ import annotations

import pytest

from dovetail.costmodel.hardware import Device, find_device
from dovetail.costmodel.models import LLM, find_model
from dovetail.costmodel.serving import (
    Parallel,
    Replica,
    activation_bytes_per_device,
    fits,
    fits_shape,
    kv_bytes_per_device,
    memory_bytes_per_device,
    sequences_held,
    weight_bytes_per_device,
)
from dovetail.costmodel.serving.memory import RUNTIME_BYTES


def llm(name: str) -> LLM:
    found = find_model(name)
    assert isinstance(found, LLM)
    return found


def device(name: str) -> Device:
    found = find_device(name)
    assert found is not None
    return found


SMALL, LARGE, MIXTURE, LATENT = map(llm, ("llama-3.1-8b", "llama-3.1-70b", "qwen3-30b-a3b", "deepseek-v3"))
ONE = Parallel()


def test_weights_are_cut_over_all_devices() -> None:
    layers = 80 * (2 * 8192 * 8192 + 2 * 8192 * 1024 + 3 * 8192 * 28672) * 2
    norms = 80 * 2 * 8192 * 2
    table = 128256 * 8192 * 2
    assert weight_bytes_per_device(LARGE, Parallel(tp=4)) == pytest.approx(layers / 4 + norms + 2 * table / 4)
    # Of two stages each has half of the layers and one table.
    assert weight_bytes_per_device(LARGE, Parallel(tp=4, pp=2)) == pytest.approx((layers / 4 + norms) / 2 + table / 4)


def test_experts_are_spread_over_all_devices_of_a_stage_and_attention_is_repeated() -> None:
    together, apart = (weight_bytes_per_device(MIXTURE, p, "bf16") for p in (Parallel(tp=8), Parallel(dp=8, ep=8)))
    attention = 48 * (2 * 2048 * 32 * 128 + 2 * 2048 * 4 * 128) * 2
    tables = 2 * 151936 * 2048 * 2
    assert apart - together == pytest.approx((attention + tables) * 7 / 8)


def test_kv_is_cut_over_kv_heads_and_stages() -> None:
    whole = 32768 * 327_680
    assert kv_bytes_per_device(LARGE, Parallel(tp=4), 1, 32768) == whole / 4
    assert kv_bytes_per_device(LARGE, Parallel(tp=16), 1, 32768) == whole / 8
    assert kv_bytes_per_device(LARGE, Parallel(tp=2, pp=2), 1, 32768, "fp8") == whole / 8
    assert kv_bytes_per_device(LATENT, Parallel(tp=8), 1, 1000) == 1000 * 70_272
    assert kv_bytes_per_device(LATENT, Parallel(dp=8), 8, 1000) == 1000 * 70_272


def test_layers_with_a_window_keep_no_more_than_it() -> None:
    model = llm("mistral-7b-v0.1")
    assert kv_bytes_per_device(model, ONE, 10, 8000) == 10 * model.kv_bytes(4096)


def test_activations_by_hand() -> None:
    # 4000 tokens x (2 x 4096 + 2 x 14336) x 2 bytes, logits of 8 sequences in fp32, the runtime
    found = activation_bytes_per_device(SMALL, ONE, 8, 4000)
    assert found == pytest.approx(4000 * 36864 * 2 + 4 * 8 * 128256 + RUNTIME_BYTES)


def test_shapes_must_divide() -> None:
    assert fits_shape(LARGE, Parallel(tp=8, pp=4))
    assert fits_shape(LATENT, Parallel(tp=16))
    assert fits_shape(LATENT, Parallel(tp=2, dp=4, ep=8))
    assert not fits_shape(LARGE, Parallel(tp=3))
    assert not fits_shape(LARGE, Parallel(pp=3))
    assert not fits_shape(LARGE, Parallel(dp=2))
    assert not fits_shape(LATENT, Parallel(dp=3, ep=3))


@pytest.mark.parametrize("degrees", [{"ep": 2}, {"tp": 0}, {"tp": 4, "dp": 2, "ep": 3}])
def test_degrees_that_mean_nothing_are_refused(degrees: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="ep divides tp x dp"):
        Parallel(**degrees)


def test_as_many_sequences_are_held_as_have_room_in_what_the_engine_takes() -> None:
    replica = Replica(SMALL, device("h100-sxm"))
    held = sequences_held(replica, 2048.0)
    taken = memory_bytes_per_device(replica, 0.0, 2048.0) + held * kv_bytes_per_device(SMALL, ONE, 1.0, 2048.0)
    assert taken == pytest.approx(0.9 * device("h100-sxm").memory_bytes)


def test_what_cannot_hold_its_weights_does_not_fit() -> None:
    large = device("h100-sxm")
    assert not fits(Replica(LARGE, large), 2048)
    assert fits(Replica(LARGE, large, Parallel(tp=2)), 2048)
    assert fits(Replica(LARGE, large, precision="fp8"), 2048)
    assert not fits(Replica(LARGE, large, Parallel(tp=3)), 2048)
    assert sequences_held(Replica(LARGE, large), 2048.0) == 0
