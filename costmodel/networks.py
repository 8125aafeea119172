"""Networks that run once per visit: an encoder, and for some a decoder that writes its output step by step.

Speech to text, text to speech and embedding models are all of this form; so are diffusion models, whose denoiser is an
encoder that runs many times over. A visit is sized by one input, such as `audio_s`; equations are numbered as in
`docs/math/nodes.md`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from .cost import Cost
from .figures import Figure, marked_values
from .precision import bytes_per_element

KERNELS_PER_LAYER = 12
"""launches of an encoder layer; a decoder layer that also attends to the encoder takes half again as many (guess)"""
VOCODER_KERNELS = 100
"""launches of what follows the stacks, such as a vocoder (guess)"""
_NONE: Mapping[str, Figure] = MappingProxyType({})


@dataclass(frozen=True)
class Stack:
    """A stack of transformer layers; `parameters` is all of it, embeddings too."""

    layers: int
    hidden: int
    ffn: int
    vocab: int = 0
    """width of the head that each position of the output passes through; 0 for none"""
    parameters: int = 0
    flops_per_position: int = 0
    """given, in place of the formula, where the layers are no transformer's (a U-Net); 0 for none"""

    @property
    def matmul_parameters(self) -> int:
        """Weights that each position is multiplied with: 4 hidden^2 + 2 hidden ffn for each layer."""
        return self.layers * (4 * self.hidden**2 + 2 * self.hidden * self.ffn)


@dataclass(frozen=True)
class Network:
    """A network run once per visit, sized by the input named `unit`."""

    id: str
    unit: str
    """`audio_s`, `characters`, `tokens` or `pixels`"""
    precision: str
    encoder: Stack
    decoder: Stack | None = None
    positions_per_unit: float = 1.0
    """encoder positions for each unit of input"""
    window_units: float = 0.0
    """the encoder takes whole windows of so many units (Whisper: 30 s); 0 for none"""
    max_units: float = math.inf
    """longest input of one pass; more is cut into several"""
    steps: float = 0.0
    """denoising steps of a visit, each a pass of the encoder, unless the visit says how many; 0 for no diffusion"""
    guidance: float = 1.0
    """times that a step does its work, in one batch: 2 with and without the prompt (classifier-free guidance)"""
    steps_per_unit: float = 0.0
    """decoder steps for each unit of input"""
    extra_flops_per_unit: float = 0.0
    """such as a vocoder's"""
    extra_parameters: int = 0
    figures: Mapping[str, Figure] = field(default_factory=lambda: _NONE, compare=False, repr=False)

    @property
    def parameters(self) -> int:
        """All weights."""
        return self.encoder.parameters + (self.decoder.parameters if self.decoder else 0) + self.extra_parameters

    def weight_bytes(self, precision: str | None = None) -> float:
        """[bytes] of the weights at `precision` (the published one if None)."""
        return self.parameters * bytes_per_element(precision or self.precision)

    def phases(self, precision: str, inputs: Mapping[str, float]) -> tuple[tuple[Cost, float], ...]:
        """The work of one visit as (work, how many times), one after the other. Equation (3) and Equation (4).

        `inputs` holds the network's unit and may hold `batch`, and `steps` of a diffusion; ValueError where the unit is
        missing.
        """
        if self.unit not in inputs:
            key = {"audio_s": "audio", "pixels": "image"}.get(self.unit, self.unit)  # as users write it
            raise ValueError(f"`{self.id}` is sized by `{key}`, which is not given")
        units, batch, size = inputs[self.unit], inputs.get("batch", 1.0), bytes_per_element(precision)
        passes, positions = self._positions(units)
        times = inputs.get("steps", self.steps) if self.steps else 1.0
        phases = [(self._encode(batch * self.guidance, positions, size), passes * times)]
        if self.decoder and self.steps_per_unit:
            steps = max(1.0, units * self.steps_per_unit)
            phases.append((self._decode_step(self.decoder, batch, positions, steps / passes, size), steps))
        if self.extra_flops_per_unit:
            moved = self.extra_parameters * size
            phases.append((Cost(self.extra_flops_per_unit * units * batch, moved, 0.0, VOCODER_KERNELS), 1.0))
        return tuple(phases)

    def _positions(self, units: float) -> tuple[float, float]:
        """(passes of the encoder, positions of each) for so many units of input."""
        if self.window_units:
            return max(1, math.ceil(units / self.window_units)), self.window_units * self.positions_per_unit
        passes = max(1, math.ceil(units / self.max_units))
        return passes, max(1.0, units / passes * self.positions_per_unit)

    def _encode(self, batch: float, positions: float, size: float) -> Cost:
        """One pass of the encoder: 2 weights n + 4 layers hidden n^2 flops, weights, activations. Equation (1)."""
        e = self.encoder
        flops = 2 * e.matmul_parameters * positions + 4 * e.layers * e.hidden * positions**2
        flops += 2 * e.hidden * e.vocab * positions
        if e.flops_per_position:
            flops = e.flops_per_position * positions
        moved = batch * positions * e.layers * (4 * e.hidden + 2 * e.ffn) * size / 2
        return Cost(batch * flops, e.parameters * size + moved, moved, e.layers * KERNELS_PER_LAYER)

    def _decode_step(self, d: Stack, batch: float, positions: float, steps: float, size: float) -> Cost:
        """One step of the decoder, at the mean length of what it has written. Equation (2).

        Weights with cross attention (2 hidden^2 more a layer: keys and values of the encoder are kept), the head,
        and attention over `positions + steps / 2`.
        """
        weights = d.matmul_parameters + d.layers * 2 * d.hidden**2 + d.hidden * d.vocab
        context = positions + steps / 2
        flops = 2 * weights + 4 * d.layers * d.hidden * context
        cached = 2 * d.layers * d.hidden * context * size
        written = 2 * d.layers * d.hidden * size
        launches = d.layers * KERNELS_PER_LAYER * 3 // 2
        return Cost(batch * flops, weights * size + batch * cached, batch * written, launches)


def read_network(id: str, entry: Mapping[str, Any]) -> Network:
    """The network of a catalogue entry; KeyError, TypeError or ValueError for one that is not understood."""
    figures = {
        name: Figure(float(raw), source, date, quality, str(raw))
        for name, raw, source, date, quality in marked_values(entry)
    }
    values: dict[str, Any] = {}
    for stack in ("encoder", "decoder"):
        shape = {name.split(".")[1]: int(f.value) for name, f in figures.items() if name.startswith(f"{stack}.")}
        if shape:
            values[stack] = Stack(**shape)
    values |= {name: figure.value for name, figure in figures.items() if "." not in name}
    if "extra_parameters" in values:
        values["extra_parameters"] = int(values["extra_parameters"])
    return Network(id, unit=entry["unit"], precision=entry["precision"], figures=figures, **values)
