"""Quantised checkpoints: which modules are left out, in the words of each tool, and what scales take."""

from __future__ import annotations

from typing import Any

import pytest

from dovetail.costmodel.models import LLM
from dovetail.costmodel.models.configs.quantisation import read_checkpoint
from dovetail.costmodel.models.configs.read import read_config


def precisions(layers: int = 2, **quantised: Any) -> dict[str, str]:
    found = read_checkpoint({}, quantised, layers)
    return {"": found.precision, **found.precisions}


ATTENTION = {"attention", "indexer"}
INT4 = {"config_groups": {"g": {"weights": {"type": "int", "num_bits": 4, "group_size": 32}}}}


@pytest.mark.parametrize(
    ("quantised", "kept"),
    [
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, set()),
        ({"quant_method": "fp8", "modules_to_not_convert": ["gate", "lm_head"]}, set()),
        ({"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn", "lm_head"]}, ATTENTION),
        (
            {"quant_method": "compressed-tensors", **INT4}
            | {"ignore": ["lm_head", "re:.*self_attn.*", "re:.*shared_experts.*", r"re:.*mlp\.(gate|up|down)_proj.*"]},
            {*ATTENTION, "shared", "network"},
        ),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4", "exclude_modules": ["*self_attn*"]}, ATTENTION),
        ({"quant_method": "modelopt", "quant_algo": "FP8", "exclude_modules": ["lm_head"]}, set()),
    ],
)  # fmt: skip
def test_kinds_left_out(quantised: dict[str, Any], kept: set[str]) -> None:
    found = precisions(**quantised)
    always = {"router", "table", "vector", "vision"}
    assert {kind for kind, precision in found.items() if precision == "bf16"} == kept | always


def test_layers_listed_one_by_one_count_where_they_are_most() -> None:
    few = [f"model.layers.{i}.self_attn.q_proj" for i in (0, 9)]
    most = [f"model.layers.{i}.self_attn.q_proj" for i in range(10)]
    assert precisions(10, quant_method="fp8", modules_to_not_convert=few)["attention"] == "fp8"
    assert precisions(10, quant_method="fp8", modules_to_not_convert=most)["attention"] == "bf16"


@pytest.mark.parametrize(
    ("quantised", "scale"),
    [
        ({"quant_method": "fp8", "weight_block_size": [128, 64]}, 4 / (128 * 64)),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, 1 / 16),
        ({"quant_method": "compressed-tensors", **INT4}, 2 / 32),
        ({"quant_method": "gptq", "bits": 4, "group_size": 128}, 2 / 128),
        ({"quant_method": "gptq", "bits": 4, "group_size": -1}, None),
        ({"quant_method": "mxfp4"}, None),
    ],
)
def test_scales(quantised: dict[str, Any], scale: float | None) -> None:
    assert read_checkpoint({}, quantised, 2).scale_bytes == scale


@pytest.mark.parametrize(
    ("quantised", "why"),
    [
        ({"quant_method": "eetq"}, "quantised by `eetq` are not covered"),
        ({"quant_method": "gptq", "bits": 3}, "quantised by `gptq` are not covered"),
        ({"quant_method": "modelopt", "quant_algo": "W4A8"}, "the quantisation algorithm `w4a8` is not covered"),
        (
            {"quant_method": "compressed-tensors"}
            | {"config_groups": {i: {"weights": {"type": "int", "num_bits": b}} for i, b in enumerate((4, 8))}},
            "several kinds of quantised weights",
        ),
    ],
)
def test_what_is_not_known_is_refused(quantised: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_checkpoint({}, quantised, 2)


def test_experts_of_another_precision() -> None:
    found = read_checkpoint({"expert_dtype": "fp4"}, {"quant_method": "fp8", "weight_block_size": [128, 128]}, 2)
    assert (found.precision, found.precisions["expert"], found.precisions["shared"]) == ("fp8", "fp4", "fp8")


def small(**quantised: Any) -> LLM:
    config = {
        "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 8,
        "intermediate_size": 128, "vocab_size": 100, "quantization_config": quantised,
    }  # fmt: skip
    return read_config(config, "small", "a test")


def test_weights_by_hand() -> None:
    attention, network, rest = 2 * 4 * 64 * 64, 2 * 3 * 64 * 128, 2 * 6400 + 5 * 64
    fp8 = small(quant_method="fp8", weight_block_size=[128, 128], modules_to_not_convert=["self_attn"])
    assert fp8.weight_bytes() == pytest.approx(2 * attention + network * (1 + 4 / 16384) + 2 * rest)
    nvfp4 = small(quant_method="modelopt", quant_algo="NVFP4", exclude_modules=["lm_head"])
    assert nvfp4.weight_bytes() == pytest.approx((attention + network) * (0.5 + 1 / 16) + 2 * rest)
    assert nvfp4.weight_bytes("bf16") == 2 * nvfp4.parameters
    # At a precision that it was not published in: attention in 16 bits with four-bit weights, as usual.
    assert fp8.weight_bytes("int4") == pytest.approx(network * (0.5 + 1 / 32) + 2 * (attention + rest))
