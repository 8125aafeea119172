"""Which weights of a published checkpoint are in which precision: `quantization_config`, with the modules left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

LAYER = "model.layers.1."
MODULES: Mapping[str, Sequence[str]] = {
    "attention": ("self_attn.q_proj", "self_attn.o_proj", "self_attn.q_b_proj", "mixer.q_proj"),
    "linear": ("linear_attn.out_proj", "mixer.out_proj", "mixer.in_proj"),
    "indexer": ("self_attn.indexer.wq_b", "self_attn.index_q_proj"),
    "network": ("mlp.down_proj", "mixer.down_proj", "feed_forward.down_proj"),
    "shared": (
        "mlp.shared_experts.down_proj", "mlp.shared_expert.down_proj", "mixer.shared_experts.down_proj",
        "block_sparse_moe.shared_experts.down_proj",
    ),
    "expert": ("mlp.experts.0.down_proj", "block_sparse_moe.experts.0.w2", "mixer.experts.0.down_proj"),
    "router": ("mlp.gate", "mlp.router", "block_sparse_moe.gate"),
}  # fmt: skip
"""Kind of product -> what the modules of a layer are called that are of it"""
NEVER: Sequence[str] = ("router", "table", "vector", "vision")
"""kinds that no tool quantises unless asked to: a router is no `Linear`, and its picks are sensitive"""


@dataclass(frozen=True)
class Checkpoint:
    """How the weights of a published checkpoint are stored."""

    precision: str
    """of most weights"""
    precisions: Mapping[str, str]
    """of other kinds of weights"""
    scale_bytes: float | None
    """[bytes] of scales for each quantised weight; None for what is usual at the precision"""


def read_checkpoint(config: Mapping[str, Any], quantised: Mapping[str, Any] | None, layers: int) -> Checkpoint:
    """How the checkpoint of a config is stored; ValueError for a quantisation that is not known."""
    plain = "fp16" if (config.get("torch_dtype") or config.get("dtype")) == "float16" else "bf16"
    if not quantised:
        return Checkpoint(plain, {}, None)
    precision = _precision(quantised)
    excluded = _excluded(quantised, layers)
    precisions = dict.fromkeys(NEVER, plain)
    for kind, modules in MODULES.items():
        if kind not in NEVER:
            kept = any(_names(pattern, f"{LAYER}{module}") for pattern in excluded for module in modules)
            precisions[kind] = plain if kept else precision
    if config.get("expert_dtype"):
        precisions["expert"] = _expert_precision(config["expert_dtype"])
    return Checkpoint(precision, precisions, _scale_bytes(quantised))


def _expert_precision(named: Any) -> str:
    if named not in ("fp4", "fp8"):
        raise ValueError(f"'expert_dtype: {named}' is not covered")
    return named


def _excluded(quantised: Mapping[str, Any], layers: int) -> Sequence[str]:
    """Patterns of modules left out, those of single layers as ones of layer 1 where most layers are listed."""
    found: Counter[str] = Counter()
    for key in ("modules_to_not_convert", "ignore", "ignored_layers", "exclude_modules", "llm_int8_skip_modules"):
        for pattern in quantised.get(key) or []:
            name = pattern if pattern.startswith("re:") else re.sub(r"\blayers\.\d+\b", "layers.1", pattern)
            found[name] += 1 if name != pattern or "layers.1" in name else layers
    return [pattern for pattern, times in found.items() if 2 * times >= layers]


def _names(pattern: str, module: str) -> bool:
    """Whether a pattern of an exclusion list is for that module.

    A regular expression after `re:` (compressed-tensors), a name with `*` (ModelOpt, transformers), or whole parts
    of the module's name.
    """
    if pattern.startswith("re:"):
        return re.match(pattern[3:], module) is not None
    if "*" in pattern:
        return any(fnmatchcase(module, each) for each in (pattern, f"{pattern}.*", f"*.{pattern}"))
    return f".{pattern}." in f".{module}."


def _scale_bytes(quantised: Mapping[str, Any]) -> float | None:
    """[bytes] for each weight: one fp32 for a block, one byte for 16 of NVFP4, 16 bits for a group of integers."""
    block = quantised.get("weight_block_size")
    if block:
        return 4 / (block[0] * block[1])
    if "NVFP4" in str(quantised.get("quant_algo", "")).upper():
        return 1 / 16
    weights = [group["weights"] for group in (quantised.get("config_groups") or {}).values()]
    size = quantised.get("group_size") or (weights[0].get("group_size") if weights else None)
    if not size or size < 0:
        return None
    one_byte = weights and weights[0].get("type") == "float"
    return (1 if one_byte else 2) / size


def _precision(quantised: Mapping[str, Any]) -> str:
    method = quantised.get("quant_method") or (quantised.get("producer") or {}).get("name")
    if method in ("fp8", "fbgemm_fp8"):
        return "fp8"
    if method == "mxfp4":
        return "fp4"
    if method in ("gptq", "awq") and quantised.get("bits") in (4, 8):
        return f"int{quantised['bits']}"
    if method in ("compressed-tensors", "modelopt"):
        return _grouped(quantised)
    raise ValueError(f"checkpoints quantised by `{method}` are not covered; write the `precision` of a plain one")


def _grouped(quantised: Mapping[str, Any]) -> str:
    """From `config_groups`, or from `quant_algo` alone."""
    algorithm = str(quantised.get("quant_algo", "")).upper()
    named = {"FP8": "fp8", "NVFP4": "fp4", "MXFP4": "fp4", "W4A16_AWQ": "int4", "FP8_PB_WO": "fp8"}
    groups = quantised.get("config_groups")
    if not groups:
        if algorithm in named:
            return named[algorithm]
        raise ValueError(f"the quantisation algorithm `{algorithm.lower() or 'none'}` is not covered")
    kinds = {(group["weights"]["type"], group["weights"]["num_bits"]) for group in groups.values()}
    known = {("float", 8): "fp8", ("float", 4): "fp4", ("int", 8): "int8", ("int", 4): "int4"}
    if len(kinds) != 1 or not kinds <= set(known):
        raise ValueError("several kinds of quantised weights in one checkpoint are not covered")
    return known[kinds.pop()]
