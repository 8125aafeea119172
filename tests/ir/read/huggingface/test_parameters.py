"""Parameters exactly as published, and bytes of cache for each token; configs are those of the model cards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dovetail.costmodel.models import read_hf_config
from dovetail.costmodel.rules import tensor_bytes
from dovetail.costmodel.tensor_graph import parameters, weight_bytes
from dovetail.ir import nn
from dovetail.ir.read.huggingface import read_config

BERT_BASE = {
    "vocab_size": 30522, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
    "intermediate_size": 3072, "hidden_act": "gelu", "max_position_embeddings": 512, "type_vocab_size": 2,
    "layer_norm_eps": 1e-12, "position_embedding_type": "absolute",
}  # fmt: skip
GPT2 = {
    "architectures": ["GPT2LMHeadModel"], "vocab_size": 50257, "n_positions": 1024, "n_embd": 768, "n_layer": 12,
    "n_head": 12, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
}  # fmt: skip
VIT_BASE = {
    "image_size": 224, "patch_size": 16, "num_channels": 3, "hidden_size": 768, "num_hidden_layers": 12,
    "num_attention_heads": 12, "intermediate_size": 3072, "hidden_act": "gelu", "qkv_bias": True,
}  # fmt: skip
WHISPER = {
    "architectures": ["WhisperForConditionalGeneration"], "vocab_size": 51866, "num_mel_bins": 128, "d_model": 1280,
    "encoder_layers": 32, "decoder_layers": 32, "encoder_attention_heads": 20, "decoder_attention_heads": 20,
    "encoder_ffn_dim": 5120, "decoder_ffn_dim": 5120, "max_source_positions": 1500, "max_target_positions": 448,
    "num_hidden_layers": 32, "torch_dtype": "float16",
}  # fmt: skip
GEMMA2_2B = {
    "architectures": ["Gemma2ForCausalLM"], "vocab_size": 256000, "hidden_size": 2304, "num_hidden_layers": 26,
    "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "intermediate_size": 9216,
    "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6,
    "sliding_window": 4096, "query_pre_attn_scalar": 256, "attn_logit_softcapping": 50.0,
    "final_logit_softcapping": 30.0,
}  # fmt: skip
GEMMA3_1B = {
    "architectures": ["Gemma3ForCausalLM"], "vocab_size": 262144, "hidden_size": 1152, "num_hidden_layers": 26,
    "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256, "intermediate_size": 6912,
    "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6, "sliding_window": 512,
    "sliding_window_pattern": 6, "query_pre_attn_scalar": 256, "rope_theta": 1000000, "rope_local_base_freq": 10000,
}  # fmt: skip
QWEN2_05B = {
    "architectures": ["Qwen2ForCausalLM"], "vocab_size": 151936, "hidden_size": 896, "num_hidden_layers": 24,
    "num_attention_heads": 14, "num_key_value_heads": 2, "intermediate_size": 4864, "hidden_act": "silu",
    "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "tie_word_embeddings": True, "use_sliding_window": False,
    "sliding_window": 32768, "max_window_layers": 21,
}  # fmt: skip
DEEPSEEK_V2_LITE = {
    "architectures": ["DeepseekV2ForCausalLM"], "vocab_size": 102400, "hidden_size": 2048, "num_hidden_layers": 27,
    "num_attention_heads": 16, "num_key_value_heads": 16, "intermediate_size": 10944, "moe_intermediate_size": 1408,
    "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 10000, "q_lora_rank": None, "kv_lora_rank": 512,
    "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "n_routed_experts": 64, "n_shared_experts": 2,
    "num_experts_per_tok": 6, "first_k_dense_replace": 1, "moe_layer_freq": 1, "topk_method": "greedy", "n_group": 1,
    "topk_group": 1, "norm_topk_prob": False, "scoring_func": "softmax", "routed_scaling_factor": 1.0,
}  # fmt: skip

PUBLISHED: list[tuple[str, dict[str, Any], int]] = [
    # Devlin et al. 2018 say 110M; the checkpoint bert-base-uncased has 109,482,240 in BertModel, and with the head in
    # place of the pooler 109,514,298 in BertForMaskedLM (transformers, `num_parameters()`).
    ("BERT-base", {**BERT_BASE, "architectures": ["BertModel"]}, 109_482_240),
    ("BERT-base with its head", {**BERT_BASE, "architectures": ["BertForMaskedLM"]}, 109_514_298),
    # Radford et al. 2019 say 124M (corrected); the checkpoint gpt2 has 124,439,808.
    ("GPT-2", GPT2, 124_439_808),
    # Dosovitskiy et al. 2020, table 1, say 86M; torchvision's vit_b_16 documents 86,567,656 with 1000 classes.
    ("ViT-B/16", {**VIT_BASE, "architectures": ["ViTForImageClassification"], "num_labels": 1000}, 86_567_656),
    # The card openai/whisper-large-v3 says 1550M; its safetensors hold 1,543,490,560.
    ("Whisper large v3", WHISPER, 1_543_490_560),
    # Gemma 2 report (arXiv:2408.00118), table 2: 2,024,517,888 besides the embedding, of 256,000 x 2304 in the
    # checkpoint google/gemma-2-2b.
    ("Gemma 2 2B", GEMMA2_2B, 2_024_517_888 + 589_824_000),
    # Gemma 3 report (arXiv:2503.19786), table 1: 698M besides 302M of the embedding; the safetensors hold 999,885,952.
    ("Gemma 3 1B", GEMMA3_1B, 999_885_952),
    # The card Qwen/Qwen2.5-0.5B says 0.49B; its safetensors hold 494,032,768.
    ("Qwen2.5 0.5B", QWEN2_05B, 494_032_768),
    # The card deepseek-ai/DeepSeek-V2-Lite says 16B (15.7B in the paper, appendix B); its safetensors hold
    # 15,706,484,224.
    ("DeepSeek V2 Lite", DEEPSEEK_V2_LITE, 15_706_484_224),
]


@pytest.mark.parametrize(("name", "config", "count"), PUBLISHED, ids=[name for name, _, _ in PUBLISHED])
def test_parameters_are_those_published(name: str, config: dict[str, Any], count: int, write) -> None:
    assert parameters(read_config(write(config), sequence=8)) == count


FROM_FILES = [
    # The cards give the rounded counts; safetensors of the repositories the exact ones.
    ("meta-llama--Meta-Llama-3.1-8B", 8_030_261_248, 131_072),
    ("meta-llama--Meta-Llama-3.1-70B", 70_553_706_496, 327_680),
    ("mistralai--Mixtral-8x7B-v0.1", 46_702_792_704, 131_072),
    ("Qwen--Qwen3-0.6B", 596_049_920, 114_688),
    ("Qwen--Qwen3-8B", 8_190_735_360, 147_456),
    ("Qwen--Qwen3-30B-A3B", 30_532_122_624, 98_304),
    # arXiv:2412.19437, section 4.2: 671B, of which 37B are active; the card adds 14B of the module that predicts a
    # further token, which is no part of the network. Cache: 2 x (512 + 64) x 61 bytes.
    ("deepseek-ai--DeepSeek-V3", 671_026_419_200, 2 * (512 + 64) * 61),
]


@pytest.mark.parametrize(("name", "count", "cache_bytes"), FROM_FILES, ids=[name for name, _, _ in FROM_FILES])
def test_published_configs(name: str, count: int, cache_bytes: int, data_folder: Path) -> None:
    network = read_config(data_folder / "models" / f"{name}.json", sequence=16)
    assert parameters(network) == count
    outputs = nn.main_of(network.module).body.block.last_op
    assert outputs is not None
    caches = [v for n, v in zip(network.output_names, outputs.operands, strict=True) if n.startswith("present")]
    assert sum(tensor_bytes(v) for v in caches) == 16 * cache_bytes
    # `costmodel.models` prices what the network is.
    served = read_hf_config(data_folder / "models" / f"{name}.json")
    assert (served.parameters, served.kv_bytes_per_token()) == (count, cache_bytes)


def test_weights_of_fp8_checkpoints_take_a_byte_and_their_scales(configs, write) -> None:
    """A matrix of 300 x 130 has 300 x 130 bytes and 3 x 2 scales of four bytes; scales are no parameters."""
    quantised = {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}
    config = {**configs["llama"], "hidden_size": 130, "num_attention_heads": 1, "num_key_value_heads": 1}
    config |= {"intermediate_size": 300, "num_hidden_layers": 1, "torch_dtype": "bfloat16"}
    plain = read_config(write(config), sequence=4)
    few = read_config(write(config, quantization_config=quantised), sequence=4)
    matrices, scales = 4 * 130 * 130 + 3 * 300 * 130, 4 * 2 * 2 + 3 * 3 * 2
    assert parameters(few) == parameters(plain) == matrices + 2 * 31 * 130 + 3 * 130
    assert weight_bytes(plain) == 2 * parameters(plain)
    assert weight_bytes(few) == weight_bytes(plain) - matrices + 4 * scales
