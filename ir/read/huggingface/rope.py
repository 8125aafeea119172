"""Rotary position embedding: the angles of a model, as ops on the places of the tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from xdsl.dialects.builtin import f32
from xdsl.ir import SSAValue

from ... import nn
from .config import SMALLEST, Config
from .network import Network

LEAST_BASE = 2.0
"""of angles: below, those of later pairs would hardly be smaller"""
KINDS = ("default", "linear", "llama3", "yarn")


@dataclass(frozen=True)
class Rope:
    """Angles: place x theta^(-2 i / width) for pair i of `width` elements, changed by `scaling`."""

    theta: float
    width: int
    kind: str = "default"
    scaling: dict[str, float] = field(default_factory=dict, hash=False)
    interleaved: bool = False

    @property
    def magnitude(self) -> float:
        """What cos and sin are multiplied by: YaRN's temperature (arXiv:2309.00071, eq. 22), split as DeepSeek does."""
        if self.kind != "yarn":
            return 1.0
        s = self.scaling
        if s["mscale"] and s["mscale_all_dim"]:
            return _mscale(s["factor"], s["mscale"]) / _mscale(s["factor"], s["mscale_all_dim"])
        return _mscale(s["factor"], 1.0)

    @property
    def score_factor(self) -> float:
        """What DeepSeek multiplies the scale of attention by: the square of the temperature of all dimensions."""
        if self.kind != "yarn" or not self.scaling["mscale_all_dim"]:
            return 1.0
        return _mscale(self.scaling["factor"], self.scaling["mscale_all_dim"]) ** 2


def read_rope(config: Config, width: int, theta_key: str = "rope_theta", interleaved: bool = False) -> Rope:
    """The embedding that `rope_theta` and `rope_scaling` describe, or `rope_parameters` in newer files."""
    scaling = config.inside("rope_parameters") or config.inside("rope_scaling")
    newer = scaling is not None and "rope_theta" in scaling.values
    said, key = (scaling, "rope_theta") if scaling is not None and newer else (config, theta_key)
    theta = said.number(key, 10000.0, least=LEAST_BASE)
    if width % 2:
        config.fault(theta_key, f"rotary embedding turns pairs, and there are {width} elements")
    if scaling is None:
        return Rope(theta, width, interleaved=interleaved)
    key = "rope_type" if "rope_type" in scaling.values else "type"
    kind = scaling.one_of(key, KINDS)
    if scaling.get(key, None) != kind:
        return Rope(theta, width)  # what its other keys mean is not known
    scaling.asked |= {"type", "rope_type"}
    numbers: dict[str, float] = {}
    if kind != "default":
        numbers["factor"] = scaling.number("factor")
    if kind in ("llama3", "yarn"):
        numbers["original"] = scaling.number("original_max_position_embeddings")
    if kind == "llama3":
        numbers |= {key: scaling.number(f"{key}_freq_factor") for key in ("low", "high")}
        if numbers["high"] <= numbers["low"]:
            scaling.fault("high_freq_factor", "`high_freq_factor` must be above `low_freq_factor`")
    if kind == "yarn":
        for key, usual in (("beta_fast", 32.0), ("beta_slow", 1.0), ("mscale", 0.0), ("mscale_all_dim", 0.0)):
            numbers[key] = scaling.number(key, usual, least=0 if usual == 0 else SMALLEST)
    scaling.check_all_asked()
    return Rope(theta, width, kind, numbers, interleaved)


def tables(net: Network, rope: Rope, positions: SSAValue) -> tuple[SSAValue, SSAValue]:
    """cos and sin of each token's angles, (batch, sequence, width / 2), worked out in f32."""
    batch, sequence = nn.shape_of(positions)
    place = net.reshape(net.cast(positions, f32), batch, sequence, 1)
    angles = net.emit(nn.MulOp, place, _frequencies(net, rope))
    both = (net.emit(nn.CosOp, angles), net.emit(nn.SinOp, angles))
    if rope.magnitude != 1.0:
        both = (net.scaled(both[0], rope.magnitude), net.scaled(both[1], rope.magnitude))
    return net.cast(both[0], net.element), net.cast(both[1], net.element)


def _frequencies(net: Network, rope: Rope) -> SSAValue:
    """Radians for each place, (width / 2)."""
    pair = net.emit(nn.IotaOp, axis=0, type=nn.tensor(f32, (rope.width // 2,)))
    plain = net.emit(nn.ExpOp, net.scaled(pair, -2.0 * math.log(rope.theta) / rope.width))
    s = rope.scaling
    if rope.kind == "linear":
        return net.scaled(plain, 1.0 / s["factor"])
    if rope.kind == "llama3":
        # Of `original` places, a frequency f turns original f / (2 pi) times: below `low` turns it is stretched in
        # full, above `high` not at all, and in between in proportion.
        turns = net.scaled(plain, s["original"] / (2.0 * math.pi))
        return _mixed(net, plain, _ramp(net, turns, s["low"], s["high"]), s["factor"])
    if rope.kind == "yarn":
        low, high = (_pair_that_turns(rope, s[key]) for key in ("beta_fast", "beta_slow"))
        low, high = max(math.floor(low), 0), min(math.ceil(high), rope.width - 1)
        ramp = _ramp(net, pair, low, high if high != low else low + 0.001)
        kept = net.emit(nn.SubOp, net.scalar(1.0, f32), ramp)
        return _mixed(net, plain, kept, s["factor"])
    return plain


def _pair_that_turns(rope: Rope, turns: float) -> float:
    """The pair that turns so often over the places of the training (arXiv:2309.00071, eq. 17 solved for the pair)."""
    original = rope.scaling["original"]
    return rope.width * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(rope.theta))


def _ramp(net: Network, x: SSAValue, low: float, high: float) -> SSAValue:
    """0 up to `low`, 1 from `high` on, a line between."""
    line = net.scaled(net.emit(nn.SubOp, x, net.scalar(float(low), f32)), 1.0 / (high - low))
    return net.emit(nn.MinOp, net.emit(nn.MaxOp, line, net.scalar(0.0, f32)), net.scalar(1.0, f32))


def _mixed(net: Network, plain: SSAValue, kept: SSAValue, factor: float) -> SSAValue:
    """plain (kept + (1 - kept) / factor)."""
    share = net.emit(nn.AddOp, net.scaled(kept, 1.0 - 1.0 / factor), net.scalar(1.0 / factor, f32))
    return net.emit(nn.MulOp, plain, share)


def _mscale(factor: float, weight: float) -> float:
    """0.1 w ln(factor) + 1 (arXiv:2309.00071, eq. 22)."""
    return 0.1 * weight * math.log(factor) + 1.0 if factor > 1 else 1.0
