"""Language models: published parameter counts, KV caches by hand, config.json files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dovetail.costmodel.models import LLM, LayerGroup, find_model, read_hf_config
from dovetail.costmodel.models.attention import Attention
from dovetail.costmodel.models.feed_forward import Dense

# Billions of parameters that the publishers state, and how many digits they state.
PUBLISHED = [
    ("llama-3.1-8b", 8.03, 0.01),
    ("llama-3.1-70b", 70.6, 0.1),
    ("llama-3.1-405b", 406, 1),
    ("llama-2-70b", 69.0, 0.1),
    ("qwen3-0.6b", 0.6, 0.05),
    ("qwen3-1.7b", 1.7, 0.05),
    ("qwen3-8b", 8.2, 0.05),
    ("qwen3-32b", 32.8, 0.05),
    ("qwen3-30b-a3b", 30.5, 0.05),
    ("qwen3-235b-a22b", 235, 0.5),
    ("mixtral-8x7b", 46.7, 0.05),
    ("mixtral-8x22b", 141, 0.5),
    ("mistral-7b-v0.1", 7.24, 0.01),
    ("gpt-oss-120b", 116.8, 0.1),
    ("gpt-oss-20b", 20.9, 0.1),
    ("deepseek-v3", 671, 0.5),
    ("kimi-k2", 1026, 1),
]
LLAMA_8B = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "max_position_embeddings": 131072,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "vocab_size": 128256,
}


def llm(name: str) -> LLM:
    found = find_model(name)
    assert isinstance(found, LLM)
    return found


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Where `read` writes a config.json."""
    return tmp_path / "config.json"


def read(path: Path, **changes: Any) -> LLM:
    """The model of the 8B's config.json with some keys changed."""
    path.write_text(json.dumps({**LLAMA_8B, **changes}))
    return read_hf_config(path, "llama-3.1-8b")


@pytest.mark.parametrize(("name", "billions", "digit"), PUBLISHED)
def test_parameters_are_those_published(name: str, billions: float, digit: float) -> None:
    assert llm(name).parameters / 1e9 == pytest.approx(billions, abs=digit)


def test_active_parameters_of_mixtures_are_those_published() -> None:
    assert llm("deepseek-v3").active_parameters / 1e9 == pytest.approx(37.5, abs=0.6)
    assert llm("qwen3-30b-a3b").active_parameters / 1e9 == pytest.approx(3.3, abs=0.1)
    assert llm("mixtral-8x7b").active_parameters / 1e9 == pytest.approx(12.9, abs=0.1)


def test_70b_weighs_141_gb_in_bf16_and_half_in_fp8() -> None:
    model = llm("llama-3.1-70b")
    assert model.weight_bytes() == pytest.approx(141.1e9, rel=1e-3)
    tables, norms = 2 * 128256 * 8192, (2 * 80 + 1) * 8192
    assert model.weight_bytes("fp8") == model.parameters + tables + norms


def test_four_bits_keep_attention_in_sixteen() -> None:
    model = llm("llama-3.1-8b")
    kept = 2 * model.embedding_parameters + 32 * model.groups[0].mixer.parameters + (2 * 32 + 1) * 4096
    assert model.weight_bytes("int4") == pytest.approx((0.5 + 1 / 32) * (model.parameters - kept) + 2 * kept)


def test_a_checkpoint_of_four_bits_weighs_what_is_published() -> None:
    # openai/gpt-oss-120b: 60.8 GiB, gpt-oss-20b: 12.8 GiB (arXiv 2508.10925, table 1)
    assert llm("gpt-oss-120b").weight_bytes() / 2**30 == pytest.approx(60.8, rel=0.01)
    assert llm("gpt-oss-20b").weight_bytes() / 2**30 == pytest.approx(12.8, rel=0.01)


def test_kv_of_70b_at_32k_tokens_is_10_7_gb() -> None:
    model = llm("llama-3.1-70b")
    assert model.kv_bytes_per_token("fp16") == 2 * 80 * 8 * 128 * 2
    assert model.kv_bytes(32768, "fp16") == pytest.approx(10.74e9, rel=1e-3)
    assert model.kv_bytes(32768, "fp8") == model.kv_bytes(32768, "fp16") / 2


def test_latent_attention_keeps_one_vector_for_all_heads() -> None:
    # layers x (kv_lora_rank + rope_dim) x tokens x bytes, and no factor 2
    assert llm("deepseek-v3").kv_bytes(1000) == 61 * (512 + 64) * 1000 * 2
    assert llm("deepseek-v3").groups[0].mixer.kv_parts == 1


def test_a_sliding_window_keeps_no_more_than_its_tokens() -> None:
    model = llm("mistral-7b-v0.1")
    per_token = 2 * 32 * 8 * 128 * 2
    assert model.kv_bytes(1000) == per_token * 1000
    assert model.kv_bytes(4096) == model.kv_bytes(100_000) == per_token * 4096


def test_a_window_in_half_of_the_layers() -> None:
    whole, window = Attention(64, 4, 4, 16), Attention(64, 4, 4, 16, window_tokens=10)
    model = LLM("half", 64, 100, tuple(LayerGroup(2, mixer, Dense(64, 128), 128) for mixer in (whole, window)))
    assert model.kv_bytes(30) == pytest.approx(model.kv_bytes_per_token() * (30 + 10) / 2)


def test_distinct_experts_by_hand() -> None:
    # two of eight: one token touches 2, two tokens 8 (1 - (3/4)^2) = 3.5
    network = llm("mixtral-8x7b").groups[0].network
    assert [network.distinct_experts(t) for t in (0, 1, 2)] == pytest.approx([0, 2, 3.5])
    assert network.distinct_experts(1000) == pytest.approx(8)
    assert llm("llama-3.1-8b").groups[0].network.distinct_experts(1000) == 0


def test_a_config_gives_the_catalogues_model(config: Path) -> None:
    assert read(config).parameters == llm("llama-3.1-8b").parameters
    assert read(config).kv_bytes_per_token() == llm("llama-3.1-8b").kv_bytes_per_token()


def test_a_config_with_latent_attention(config: Path) -> None:
    found = read(
        config,
        architectures=["DeepseekV3ForCausalLM"],
        hidden_size=7168,
        intermediate_size=18432,
        num_attention_heads=128,
        num_hidden_layers=61,
        vocab_size=129280,
        moe_intermediate_size=2048,
        n_routed_experts=256,
        n_shared_experts=1,
        num_experts_per_tok=8,
        first_k_dense_replace=3,
        q_lora_rank=1536,
        kv_lora_rank=512,
        qk_nope_head_dim=128,
        qk_rope_head_dim=64,
        v_head_dim=128,
        quantization_config={"quant_method": "fp8"},
    )
    assert found.parameters == llm("deepseek-v3").parameters
    assert found.precision == "fp8"


@pytest.mark.parametrize(
    ("changes", "precision"),
    [
        ({"torch_dtype": "float16"}, "fp16"),
        ({"quantization_config": {"quant_method": "fp8"}}, "fp8"),
        ({"quantization_config": {"quant_method": "awq", "bits": 4}}, "int4"),
    ],
)
def test_the_precision_is_the_checkpoints(config: Path, changes: dict[str, Any], precision: str) -> None:
    assert read(config, **changes).precision == precision


def test_a_window_in_a_config(config: Path) -> None:
    mistral = read(config, architectures=["MistralForCausalLM"], sliding_window=4096)
    assert [group.count for group in mistral.groups] == [32]
    assert mistral.groups[0].mixer.held(100_000) == 4096
    qwen = read(config, architectures=["Qwen2ForCausalLM"], sliding_window=4096, use_sliding_window=False)
    assert qwen.groups[0].mixer.held(100_000) == 100_000


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"architectures": ["MambaForCausalLM"]}, "the architecture `MambaForCausalLM` is not covered"),
        ({"mlp_depth": 2}, "it is not known what these keys mean: mlp_depth"),
        ({"num_hidden_layers": "32"}, "'num_hidden_layers' is '32', and must be a whole number"),
        ({"quantization_config": {"quant_method": "eetq"}}, "quantised by `eetq` are not covered"),
        ({"architectures": ["DeepseekV3ForCausalLM"]}, "the key 'qk_nope_head_dim' is missing"),
    ],
)
def test_what_is_not_covered_is_an_error(config: Path, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read(config, **changes)


def test_a_config_that_is_no_mapping(config: Path) -> None:
    config.write_text("[1]")
    with pytest.raises(ValueError, match=r"a config\.json is a mapping"):
        read_hf_config(config)


def test_how_a_checkpoint_is_quantised_may_stand_beside_its_config(config: Path) -> None:
    beside = config.parent / "hf_quant_config.json"
    beside.write_text(json.dumps({"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "FP8"}}))
    assert read(config).precision == "fp8"
    assert read(config, quantization_config={"quant_method": "awq", "bits": 4}).precision == "int4"


@pytest.mark.parametrize(
    "name",
    ["meta-llama/Llama-3.1-8B-Instruct", "Llama-3.1-8B-Instruct", "llama-3.1-8b", "LLAMA_3.1_8B", "Meta-Llama-3.1-8B"],
)
def test_usual_spellings_find_the_model(name: str) -> None:
    assert llm(name).id == "llama-3.1-8b"


def test_values_of_other_forms_are_errors_and_no_tracebacks(config: Path) -> None:
    for odd in ([1], {"a": 1}, "x", -1, True, 1.5):
        with pytest.raises(ValueError, match="intermediate_size"):
            read(config, intermediate_size=odd)
    with pytest.raises(ValueError, match="a value is of another form"):
        read(config, quantization_config="fp8")
