"""Reads a config.json: the architecture, then the network of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from xdsl.dialects.builtin import bf16, f16, f32
from xdsl.ir import Attribute

from ... import nn
from ...units import shorten
from . import bert, deepseek, families, gpt2, vit, whisper
from .config import Config, open_config
from .decoder import Decoder, build_decoder
from .network import BLOCK_OF_FP8, Network

ELEMENTS: dict[str, Attribute] = {"float32": f32, "float16": f16, "bfloat16": bf16}
MODES = ("prefill", "decode")

DECODERS: dict[str, Callable[[Config], Decoder]] = {
    "LlamaForCausalLM": families.llama,
    "MistralForCausalLM": families.mistral,
    "MixtralForCausalLM": families.mixtral,
    "Qwen2ForCausalLM": families.qwen2,
    "Qwen3ForCausalLM": families.qwen3,
    "Qwen3MoeForCausalLM": families.qwen3_moe,
    "Gemma2ForCausalLM": families.gemma2,
    "Gemma3ForCausalLM": families.gemma3,
    "DeepseekV2ForCausalLM": deepseek.deepseek_v2,
    "DeepseekV3ForCausalLM": deepseek.deepseek_v3,
}
Build = Callable[[Network, int], None]
"""Writes the network, whose caches hold so many tokens already."""
OTHERS: dict[str, Callable[[Config], tuple[int, Callable[[int], Build]]]] = {
    "BertModel": bert.read_model,
    "BertForMaskedLM": bert.read_masked_lm,
    "GPT2LMHeadModel": gpt2.read,
    "ViTModel": vit.read_model,
    "ViTForImageClassification": vit.read_classifier,
    "WhisperForConditionalGeneration": whisper.read,
}
"""Architecture -> (how many layers it has, what builds it with so many)."""
ARCHITECTURES = (*DECODERS, *OTHERS)
ENDING = re.compile(r"(?i)[-_ ]*(For[A-Z]\w*|LMHeadModel|Model)$")
"""what names of architectures end in"""
DIGITS = re.compile(r"\d+")


def read_config(
    path: str | Path,
    *,
    batch: int | str = 1,
    sequence: int | str = 1,
    mode: str = "prefill",
    layers: int | None = None,
    element: Attribute | None = None,
) -> nn.NnModule:
    """
    The network of the config.json at `path`, its weights without values.

    A size given as text is open, and has that name. `mode` "prefill" takes `sequence` tokens and gives the caches
    that they leave; "decode" takes caches of `sequence` tokens and one token more. Encoders have no caches, and take
    `sequence` tokens or images of their own size. `layers` leaves out all layers but the first so many; `element` is
    used in place of the file's element type. InputError with every fault of the file, at its place.
    """
    if mode not in MODES:
        raise ValueError(f"the mode `{mode}` is none of {', '.join(MODES)}")
    config = open_config(Path(path))
    count, builder = _builder(config)
    kind = config.one_of("torch_dtype" if "torch_dtype" in config.values else "dtype", list(ELEMENTS), "float32")
    fp8 = _is_fp8(config)
    config.check_all_asked()
    config.faults.raise_if_errors()
    past = _size(sequence) if mode == "decode" else 0
    net = Network(_size(batch), 1 if mode == "decode" else _size(sequence), element or ELEMENTS[kind], fp8)
    builder(count if layers is None else min(layers, count))(net, past)
    return net.finish()


def _builder(config: Config) -> tuple[int, Callable[[int], Build]]:
    """How many layers the network has, and what builds it with so many."""
    name = _architecture(config)
    if name in OTHERS:
        return OTHERS[name](config)
    model = DECODERS[name](config)

    def build(layers: int) -> Build:
        return lambda net, past: build_decoder(net, replace(model, layers=model.layers[:layers]), past)

    return len(model.layers), build


def _architecture(config: Config) -> str:
    """The architecture that the file names first; InputError for one that is not supported."""
    named = config.get("architectures", [])
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        message = "`architectures` must be a list of names"
        config.fault("architectures", message, f'for example `"architectures": ["{ARCHITECTURES[0]}"]`')
    elif not named:
        config.fault("architectures", "no architecture is named", f"supported: {', '.join(ARCHITECTURES)}")
    elif named[0] not in ARCHITECTURES:
        config.fault("architectures", f"the architecture `{shorten(named[0])}` is not supported", _nearest(named[0]))
    config.faults.raise_if_errors()
    return named[0]


def _nearest(name: str) -> str:
    """The architecture that `name` misspells, or else all.

    Names are judged without what all end in, and with the same number: another generation is another network.
    """
    stems = {ENDING.sub("", each).lower(): each for each in reversed(ARCHITECTURES)}
    stem = ENDING.sub("", name).lower()
    alike = [each for each in stems if DIGITS.findall(each) == DIGITS.findall(stem)]
    if near := get_close_matches(stem, alike, n=1, cutoff=0.8):
        return f"did you mean `{stems[near[0]]}`?"
    return f"supported: {', '.join(ARCHITECTURES)}"


def _is_fp8(config: Config) -> bool:
    """Whether weights are fp8 with a scale for each square; a fault for another quantisation."""
    inside = config.inside("quantization_config")
    if inside is None:
        return False
    inside.one_of("quant_method", ["fp8"])
    inside.one_of("fmt", ["e4m3"], "e4m3")
    inside.one_of("weight_block_size", [[BLOCK_OF_FP8, BLOCK_OF_FP8]])
    inside.asked |= {"activation_scheme"}  # how engines round activations: rounding is no part of the meaning
    inside.check_all_asked()
    return True


def _size(size: int | str) -> int:
    """An open size where it is named; sizes do arithmetic as ints do."""
    return nn.size_of(size)  # type: ignore[return-value]
