"""A language model as an entry of the catalogue: plain data, one group of equal layers or several.

Keys of layers (`layers`, those of the mixer and those of the network) stand in the entry itself; `groups` is a list
of such keys where layers differ, each with the entry's own for what it does not say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from .attention import Attention
from .compressed import CompressedAttention
from .feed_forward import Dense, FeedForward, Mixture, NoNetwork
from .latent import LatentAttention
from .linear import GatedDeltaNet, KimiDelta, Mamba2
from .llm import LLM, LayerGroup
from .mixers import Mixer, NoMixer
from .vision import Vision

MIXERS: Mapping[str, type[Mixer]] = {
    "attention": Attention,
    "latent": LatentAttention,
    "compressed": CompressedAttention,
    "mamba2": Mamba2,
    "gated_delta": GatedDeltaNet,
    "kimi_delta": KimiDelta,
    "none": NoMixer,
}
NETWORKS: Mapping[str, type[FeedForward]] = {"dense": Dense, "mixture": Mixture, "none": NoNetwork}
MODEL_KEYS = (
    "hidden", "vocab", "tied_embeddings", "context_tokens", "precision", "precisions", "scale_bytes",
    "extra_parameters", "mark", "quality", "source", "date",
)  # fmt: skip


def shape_keys(kind: type[Any]) -> tuple[str, ...]:
    """Keys that an entry may give for a mixer or a network of this kind."""
    return tuple(f.name for f in fields(kind) if f.init)


PARTS: tuple[type[Any], ...] = (*MIXERS.values(), *NETWORKS.values())
LAYER_KEYS = {"layers", "norms", "norm_parameters", "mixer", "network"}.union(*map(shape_keys, PARTS))


def read_llm(id: str, entry: Mapping[str, Any]) -> LLM:
    """The model of an entry; KeyError, TypeError or ValueError for one that is not understood."""
    common = {key: value for key, value in entry.items() if key in LAYER_KEYS}
    unknown = set(entry) - LAYER_KEYS - {*MODEL_KEYS, "vision", "groups", "aliases"}
    if unknown:
        raise ValueError(f"`{min(unknown)}` is no key of a model")
    groups = tuple(_group({**common, **each}) for each in entry.get("groups", ({},)))
    known = {key: value for key, value in entry.items() if key in MODEL_KEYS}
    vision = Vision(**entry["vision"]) if entry.get("vision") else None
    return LLM(id=id, groups=groups, vision=vision, **{**known, "date": str(entry["date"])})


def _group(shape: Mapping[str, Any]) -> LayerGroup:
    unknown = set(shape) - LAYER_KEYS
    if unknown:
        raise ValueError(f"`{min(unknown)}` is no key of a group of layers")
    mixer, network = MIXERS[mixer_name(shape)], NETWORKS[network_name(shape)]
    return LayerGroup(
        count=shape["layers"],
        mixer=mixer(**_of(mixer, shape)),
        network=network(**_of(network, shape)),
        norms=shape["norm_parameters"] if "norm_parameters" in shape else shape.get("norms", 2) * shape["hidden"],
    )


def mixer_name(shape: Mapping[str, Any]) -> Any:
    """The mixer that layers of this shape have: latent attention where they have a latent vector, unless told."""
    return shape.get("mixer", "latent" if shape.get("kv_latent") else "attention")


def network_name(shape: Mapping[str, Any]) -> Any:
    """The network that layers of this shape have: a mixture where they have experts, unless told."""
    return shape.get("network", "mixture" if shape.get("experts") else "dense")


def _of(kind: type[Any], shape: Mapping[str, Any]) -> dict[str, Any]:
    keys = shape_keys(kind)
    return {key: value for key, value in shape.items() if key in keys}


def write_llm(llm: LLM) -> dict[str, Any]:
    """The entry that `read_llm` reads back as the same model."""
    model = {key: getattr(llm, key) for key in MODEL_KEYS if key != "quality"}
    model["precisions"] = dict(llm.precisions)
    vision = {"vision": asdict(llm.vision)} if llm.vision else {}
    return {**model, **vision, "groups": [_write_group(group) for group in llm.groups]}


def _write_group(group: LayerGroup) -> dict[str, Any]:
    mixer = next(name for name, kind in MIXERS.items() if type(group.mixer) is kind)
    network = next(name for name, kind in NETWORKS.items() if type(group.network) is kind)
    shape = {"layers": group.count, "norm_parameters": group.norms, "mixer": mixer, "network": network}
    for part in (group.mixer, group.network):
        shape |= {key: getattr(part, key) for key in shape_keys(type(part))}
    return shape
