"""What the latency of an operator needs of a device's data sheet: rates, multiprocessors, L2 cache, clock, links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from ..hardware import Device

FILE = Path(__file__).parents[1] / "catalogue" / "coefficients" / "chips.yaml"
_TYPICAL_FLOPS_PER_MULTIPROCESSOR = 4e12
_TYPICAL_CACHE_BYTES_PER_FLOP = 80e-9
_TYPICAL_CLOCK_HZ = 1.8e9


@dataclass(frozen=True)
class Chip:
    """The figures of one device that kernels feel; rates are dense peaks."""

    id: str
    flops_per_s: Mapping[str, float]
    """by dtype"""
    bandwidth_bytes_per_s: float
    multiprocessors: float
    """SMs, compute units or cores that take tiles of a kernel"""
    cache_bytes: float
    """of the L2 (last) cache"""
    clock_hz: float
    tdp_w: float
    link_bytes_per_s: float
    """to the other devices of the chassis, one direction; 0 without a link"""
    known: bool
    """multiprocessors, cache and clock are from a data sheet, not typical ones"""

    @property
    def matrix_flops_per_s(self) -> float:
        """Peak of 16-bit products, or of the dtype nearest to it."""
        return next(self.flops_per_s[d] for d in ("bf16", "fp16", "fp32", *self.flops_per_s) if self.flops_per_s.get(d))


@cache
def _sheets() -> Mapping[str, Mapping[str, float]]:
    """Multiprocessors, cache [bytes] and clock [Hz] by device id."""
    return yaml.safe_load(FILE.read_text())["chips"]


def chip_of(device: Device) -> Chip:
    """The chip of `device`; what its data sheet lacks is taken as typical for its FLOP/s (a guess)."""
    sheet = _sheets().get(device.id)
    flops = next((device.flops_per_s[d] for d in ("bf16", "fp16", "fp32") if device.flops_per_s.get(d)), 1e12)
    return Chip(
        id=device.id,
        flops_per_s=device.flops_per_s,
        bandwidth_bytes_per_s=device.bandwidth_bytes_per_s,
        multiprocessors=float(sheet["multiprocessors"])
        if sheet
        else max(1.0, flops / _TYPICAL_FLOPS_PER_MULTIPROCESSOR),
        cache_bytes=float(sheet["cache"]) if sheet else flops * _TYPICAL_CACHE_BYTES_PER_FLOP,
        clock_hz=float(sheet["clock"]) if sheet else _TYPICAL_CLOCK_HZ,
        tdp_w=device.tdp_w,
        link_bytes_per_s=device.link_bandwidth_bytes_per_s,
        known=sheet is not None,
    )
