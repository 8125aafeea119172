"""What a family's reader finds in a config: layers and what stands around them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..feed_forward import Dense, FeedForward
from ..llm import LayerGroup
from ..mixers import Mixer
from ..vision import Vision
from .config import Config

Layer = tuple[Mixer, FeedForward, int]
"""mixer, network, and parameters of the layer's norms"""


@dataclass(frozen=True)
class Shape:
    """The parts of a language model that its config gives."""

    hidden: int
    vocab: int
    groups: tuple[LayerGroup, ...]
    tied: bool
    context: int
    vision: Vision | None = None
    extra: int = 0
    """parameters outside of layers and tables, besides the last norm"""
    guess: str = ""
    """what was taken where the config does not say it; empty where it says all"""


def grouped(layers: Iterable[Layer]) -> tuple[LayerGroup, ...]:
    """Equal layers together, in the order of the first of each kind."""
    counts: dict[Layer, int] = {}
    for layer in layers:
        counts[layer] = counts.get(layer, 0) + 1
    return tuple(LayerGroup(count, *layer) for layer, count in counts.items())


def shape_of(
    config: Config,
    layers: Iterable[Layer],
    tied: bool = False,
    vision: Vision | None = None,
    extra: int = 0,
    guess: str = "",
) -> Shape:
    """The shape with the keys that all families have; `tied` is what the family does unless told."""
    return Shape(
        hidden=config.number("hidden_size"),
        vocab=config.number("vocab_size"),
        groups=grouped(layers),
        tied=config.flag("tie_word_embeddings", tied),
        context=config.count("max_position_embeddings") or 131072,
        vision=vision,
        extra=extra,
        guess=guess,
    )


def dense_of(config: Config, ffn: int | None = None) -> Dense:
    """The gated network of a dense layer."""
    return Dense(config.number("hidden_size"), ffn or config.number("intermediate_size"))
