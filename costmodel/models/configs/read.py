"""Reading a config.json: which family it is of, its shape, and how its checkpoint is stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..llm import LLM
from . import grouped, hybrid, latent, nemotron
from .config import Config
from .quantisation import read_checkpoint
from .shape import Shape

FAMILIES: Mapping[str, Callable[[Config], Shape]] = MappingProxyType(
    {
        "DeciLMForCausalLM": nemotron.read_nemotron_nas,
        "DeepseekV2ForCausalLM": latent.read_deepseek,
        "DeepseekV32ForCausalLM": latent.read_deepseek_sparse,
        "DeepseekV3ForCausalLM": latent.read_deepseek,
        "DeepseekV4ForCausalLM": latent.read_deepseek_v4,
        "Gemma2ForCausalLM": hybrid.read_gemma2,
        "Gemma3ForCausalLM": hybrid.read_gemma3,
        "Gemma4ForConditionalGeneration": hybrid.read_gemma4,
        "GlmMoeDsaForCausalLM": latent.read_deepseek_sparse,
        "GptOssForCausalLM": grouped.read_gpt_oss,
        "KimiK25ForConditionalGeneration": latent.read_kimi_vision,
        "KimiK3ForConditionalGeneration": latent.read_kimi_k3,
        "KimiLinearForCausalLM": latent.read_kimi_linear,
        "Llama4ForCausalLM": hybrid.read_llama4,
        "Llama4ForConditionalGeneration": hybrid.read_llama4,
        "LlamaForCausalLM": grouped.read_llama,
        "MiMoForCausalLM": grouped.read_qwen2,
        "MiMoV2FlashForCausalLM": hybrid.read_mimo_v2,
        "MiniMaxM2ForCausalLM": grouped.read_minimax_m2,
        "MiniMaxM3ForCausalLM": grouped.read_minimax_m3,
        "MistralForCausalLM": grouped.read_llama,
        "MixtralForCausalLM": grouped.read_mixtral,
        "NemotronHForCausalLM": nemotron.read_nemotron_h,
        "Phi3ForCausalLM": grouped.read_llama,
        "Qwen2ForCausalLM": grouped.read_qwen2,
        "Qwen3ForCausalLM": grouped.read_qwen3,
        "Qwen3MoeForCausalLM": grouped.read_qwen3_moe,
        "Qwen3NextForCausalLM": hybrid.read_qwen3_next,
        "Qwen3VLForConditionalGeneration": hybrid.read_qwen3_vl,
        "Qwen3VLMoeForConditionalGeneration": hybrid.read_qwen3_vl_moe,
        "Qwen3_5ForConditionalGeneration": hybrid.read_qwen3_5,
        "Qwen3_5MoeForConditionalGeneration": hybrid.read_qwen3_5,
        "Step3p7FlashForCausalLM": hybrid.read_step,
    }
)
"""Architecture -> the reader of its shape."""
ARCHITECTURES = tuple(FAMILIES)
BESIDE = "hf_quant_config.json"
"""where ModelOpt writes how a checkpoint is quantised, if not in config.json itself"""


def read_hf_config(path: Path, id: str | None = None) -> LLM:
    """The model of a Hugging Face config.json.

    ValueError, saying what, for a file that is none, for an architecture that is not known, for a variant that the
    formulas do not cover, and for keys whose meaning is not known.
    """
    values = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise ValueError("a config.json is a mapping")
    beside = path.parent / BESIDE
    if beside.is_file() and not values.get("quantization_config"):
        values["quantization_config"] = {"quant_method": "modelopt", **json.loads(beside.read_text())["quantization"]}
    try:
        return read_config(values, id or path.stem, f"{path.name} of the model")
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"a value is of another form than the family's: {error}") from error


def read_config(values: Mapping[str, Any], id: str, source: str) -> LLM:
    """The model of the document in a config.json."""
    architecture = (values.get("architectures") or ["none"])[0]
    if architecture not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise ValueError(f"the architecture `{architecture}` is not covered; known are {known}")
    config = Config(values)
    shape = FAMILIES[architecture](config)
    text = values.get("text_config") or {}
    stored = values.get("quantization_config") or text.get("quantization_config")
    config.check_all_read()
    layers = sum(group.count for group in shape.groups)
    checkpoint = read_checkpoint({**text, **values}, stored, layers)
    return LLM(
        id=id,
        hidden=shape.hidden,
        vocab=shape.vocab,
        groups=shape.groups,
        tied_embeddings=shape.tied,
        context_tokens=shape.context,
        precision=checkpoint.precision,
        precisions=checkpoint.precisions,
        scale_bytes=checkpoint.scale_bytes,
        vision=shape.vision,
        extra_parameters=shape.extra,
        source=f"{source} ({shape.guess})" if shape.guess else source,
        mark="guess" if shape.guess else "data_sheet",
    )
