"""Latency of one operator (a GEMM, an attention call, a collective) on one device, fitted to measurements."""

from ..hardware import Device
from .attention import decode_attention_s, prefill_attention_s
from .chip import chip_of
from .coefficients import quality_of_fit as _quality_of_chip
from .collectives import collective_s
from .gemm import gemm_s


def quality_of_fit(device: Device) -> str:
    """`fitted` where kernels were measured on `device` itself, `guess` where it inherits from others."""
    return _quality_of_chip(chip_of(device))


__all__ = ["collective_s", "decode_attention_s", "gemm_s", "prefill_attention_s", "quality_of_fit"]
