"""What configs say is used, and what is not known is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from dovetail.costmodel.models import LLM
from dovetail.costmodel.models.attention import Attention
from dovetail.costmodel.models.configs.read import read_config

SMALL: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "num_hidden_layers": 6, "num_attention_heads": 8,
    "num_key_value_heads": 2, "intermediate_size": 128, "vocab_size": 100, "max_position_embeddings": 512,
}  # fmt: skip
LATENT = {
    "architectures": ["DeepseekV3ForCausalLM"], "q_lora_rank": 16, "kv_lora_rank": 8, "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 4, "v_head_dim": 8, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1,
    "moe_intermediate_size": 32, "first_k_dense_replace": 1,
}  # fmt: skip
NEMOTRON = {
    "architectures": ["NemotronHForCausalLM"], "hybrid_override_pattern": "M-M*E-", "mamba_num_heads": 4,
    "mamba_head_dim": 8, "ssm_state_size": 16, "n_groups": 2, "conv_kernel": 4, "use_conv_bias": True, "head_dim": 8,
    "n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1, "moe_intermediate_size": 32,
    "moe_shared_expert_intermediate_size": 64,
}  # fmt: skip


def read(**changes: Any) -> LLM:
    return read_config({**SMALL, **changes}, "small", "a test")


@pytest.mark.parametrize(
    ("changes", "added"),
    [
        ({"attention_bias": True}, 6 * (64 + 2 * 16 + 64)),
        ({"mlp_bias": True}, 6 * (2 * 128 + 64)),
        ({"head_dim": 16}, 6 * 64 * (64 + 2 * 16 + 64)),
        ({"tie_word_embeddings": True}, -6400),
        ({"architectures": ["Qwen2ForCausalLM"]}, 6 * (64 + 2 * 16)),
        ({"architectures": ["Qwen3ForCausalLM"]}, 6 * 2 * 8),
        ({"architectures": ["Gemma2ForCausalLM"], "sliding_window": 9}, 6 * 2 * 64 - 6400),
    ],
)
def test_keys_change_the_parameters_as_they_should(changes: dict[str, Any], added: int) -> None:
    assert read(**changes).parameters == read().parameters + added


@pytest.mark.parametrize(
    ("changes", "windows"),
    [
        ({}, {0: 6}),
        ({"architectures": ["MistralForCausalLM"], "sliding_window": 9}, {9: 6}),
        ({"architectures": ["Qwen2ForCausalLM"], "sliding_window": 9, "use_sliding_window": False}, {0: 6}),
        (
            {"architectures": ["Qwen2ForCausalLM"], "sliding_window": 9, "use_sliding_window": True}
            | {"max_window_layers": 4},
            {0: 4, 9: 2},
        ),
        ({"architectures": ["Gemma2ForCausalLM"], "sliding_window": 9}, {9: 3, 0: 3}),
        ({"architectures": ["Gemma3ForCausalLM"], "sliding_window": 9}, {9: 5, 0: 1}),
    ],
)
def test_windows_stand_in_the_layers_that_have_them(changes: dict[str, Any], windows: dict[int, int]) -> None:
    found = {}
    for group in read(**changes).groups:
        assert isinstance(group.mixer, Attention)
        found[group.mixer.window_tokens] = group.count
    assert found == windows


def test_mixtures_stand_in_every_second_layer() -> None:
    changes = {"architectures": ["Qwen3MoeForCausalLM"], "num_experts": 4, "num_experts_per_tok": 2}
    model = read(**changes, moe_intermediate_size=32, decoder_sparse_step=2, mlp_only_layers=[3])
    assert [(group.count, group.network.experts) for group in model.groups] == [(4, 0), (2, 4)]


def test_a_pattern_of_mixers_and_networks() -> None:
    model = read(**NEMOTRON)
    kinds = [(group.count, type(group.mixer).__name__, type(group.network).__name__) for group in model.groups]
    assert kinds == [
        (2, "Mamba2", "NoNetwork"),
        (2, "NoMixer", "Dense"),
        (1, "Attention", "NoNetwork"),
        (1, "NoMixer", "Mixture"),
    ]
    assert {group.norms for group in model.groups} == {64}


def test_precisions_of_the_state() -> None:
    half, full = read(**NEMOTRON), read(**NEMOTRON, mamba_ssm_cache_dtype="float32")
    assert full.state_bytes - half.state_bytes == 2 * 4 * 8 * 16 * 2


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"architectures": ["RwkvForCausalLM"]}, "the architecture `RwkvForCausalLM` is not covered; known are"),
        ({"architectures": None}, "the architecture `none` is not covered"),
        ({"num_experts": 8, "novel": 1}, "it is not known what these keys mean: novel, num_experts"),
        ({"hidden_size": None}, "the key 'hidden_size' is missing"),
        ({"hidden_size": 6.4}, "'hidden_size' is 6.4, and must be a whole number of at least 1"),
        ({"num_attention_heads": 0}, "'num_attention_heads' is 0, and must be a whole number"),
        ({"tie_word_embeddings": "no"}, "'tie_word_embeddings' is 'no', and must be true or false"),
        (LATENT | {"attention_bias": True}, "'attention_bias: True' is not covered"),
        (LATENT | {"moe_layer_freq": 2}, "mixtures in some of the layers are not covered"),
        (LATENT | {"mlp_layer_types": ["sparse"] * 6}, "say different things"),
        (NEMOTRON | {"hybrid_override_pattern": "MMM"}, "must have one of M, *, - and E for each layer"),
        (NEMOTRON | {"mlp_hidden_act": "silu"}, "networks with another function"),
        (
            {"architectures": ["GptOssForCausalLM"], "sliding_window": 8, "layer_types": ["full_attention"]}
            | {"num_local_experts": 4, "num_experts_per_tok": 2},
            "'layer_types' must list 6 layers",
        ),
    ],
)
def test_what_is_not_covered_is_refused_by_name(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why.replace("*", r"\*")):
        read(**changes)


def test_keys_inside_parts_are_named_with_their_part() -> None:
    text = {key: value for key, value in SMALL.items() if key != "architectures"}
    vision = {
        "hidden_size": 32, "intermediate_size": 64, "depth": 2, "num_heads": 2, "spatial_merge_size": 2,
        "patch_size": 4, "in_channels": 3, "temporal_patch_size": 2,
        "out_hidden_size": 64, "num_position_embeddings": 16, "odd": 1,
    }  # fmt: skip
    config = {"architectures": ["Qwen3VLForConditionalGeneration"], "text_config": text, "vision_config": vision}
    with pytest.raises(ValueError, match=r"these keys mean: vision_config\.odd"):
        read_config(config, "small", "a test")
    del vision["odd"]
    model = read_config(config, "small", "a test")
    layer = 4 * 32**2 + 4 * 32 + 2 * 32 * 64 + 64 + 32 + 4 * 32
    merger = 128**2 + 128 + 129 * 64 + 2 * 32
    assert model.vision is not None
    assert model.vision.parameters == 2 * layer + (3 * 2 * 16 + 1) * 32 + 16 * 32 + merger
    assert model.parameters == read(architectures=["Qwen3ForCausalLM"]).parameters + model.vision.parameters
    # 64 x 32 pixels: 128 patches, of which four make a token
    assert model.vision.tokens(64, 32) == 32
    patches = model.vision.patch_parameters
    assert model.vision.flops(64, 32) == 2 * 128 * patches + 2 * 32 * merger + 4 * 2 * 32 * 128**2


def test_deepseek_v3_by_hand() -> None:
    attention = 64 * (16 + 8 + 4) + 16 * 8 * 12 + 8 * 8 * (8 + 8) + 8 * 8 * 64 + 16 + 8
    mixture = 64 * 4 + 4 + 5 * 3 * 64 * 32
    layers = 6 * (attention + 2 * 64) + 3 * 64 * 128 + 5 * mixture
    assert read(**LATENT).parameters == layers + 64 + 2 * 6400
