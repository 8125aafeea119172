"""How long work takes on a device: the roofline (Williams et al. 2009), with launches as a term of their own.

Equations are numbered as in `docs/math/roofline.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .cost import Cost
from .hardware import Device
from .variation import varied


@dataclass(frozen=True)
class Efficiency:
    """What a kind of device reaches of its data sheet, and what each kernel costs besides."""

    compute: float
    """share of peak FLOP/s"""
    bandwidth: float
    """share of peak bytes/s"""
    launch_s: float
    """[s] for each kernel"""
    quality: str
    source: str


_FIT = (0.63, 0.85, 3.4e-6)
"""Fitted to the time between tokens of 312 measured points (Llama-3.1-70B, Qwen3-32B; vLLM and TensorRT-LLM; H100 and
H200) of github.com/ai-dynamo/aiconfigurator at 095f58a5."""

FITTED: Mapping[str, Efficiency] = MappingProxyType(
    {
        id: Efficiency(*_FIT, "fitted", "fit to measured serving points of H100 and H200, 2025")
        for id in ("h100-sxm", "h200-sxm")
    }
)
"""By device id: devices whose own measurements were fitted."""

EFFICIENCY: Mapping[str, Efficiency] = MappingProxyType(
    {
        "gpu": Efficiency(*_FIT, "guess", "as fitted on H100 and H200"),
        "npu": Efficiency(0.55, 0.80, 2.0e-6, "guess", "as a gpu, with less of its peak"),
        "cpu": Efficiency(0.50, 0.70, 1.0e-6, "guess", "usual for tuned libraries"),
    }
)
"""By kind: devices without measurements."""

FALLBACK: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "fp4": ("fp4", "bf16", "fp16", "fp32"),
        "int4": ("bf16", "fp16", "fp32"),
        "fp8": ("fp8", "bf16", "fp16", "fp32"),
        "int8": ("int8", "bf16", "fp16", "fp32"),
        "bf16": ("bf16", "fp16", "fp32"),
        "fp16": ("fp16", "bf16", "fp32"),
        "fp32": ("fp32", "bf16", "fp16"),
    }
)
"""Where a device cannot compute in a precision, weights stay stored in it and the arithmetic takes the next."""


def efficiency(device: Device) -> Efficiency:
    """What `device` reaches by its own measurements, or what its kind does."""
    return varied(device.id, FITTED.get(device.id) or EFFICIENCY[device.kind])


def compute_dtype(device: Device, precision: str) -> str:
    """The dtype in which `device` computes with operands stored in `precision` (fp8 on an A100: bf16)."""
    known = (dtype for dtype in FALLBACK[precision] if device.flops_per_s.get(dtype))
    dtype = next(known, None)
    if dtype is None:
        raise ValueError(f"`{device.id}` has no FLOP/s for `{precision}` nor for what stands in for it")
    return dtype


def can_compute(device: Device, precision: str) -> bool:
    """Whether `device` has a rate for operands in `precision`, its own or that of what stands in for it."""
    return any(device.flops_per_s.get(dtype) for dtype in FALLBACK[precision])


def time_s(cost: Cost, device: Device, precision: str) -> float:
    """[s] that the work takes on `device` with operands in `precision`. Equation (1).

    max(flops / (peak x efficiency), bytes / (bandwidth x efficiency)) + launches x overhead
    """
    reached = efficiency(device)
    peak = device.flops_per_s[compute_dtype(device, precision)]
    compute_s = cost.flops / (peak * reached.compute)
    memory_s = (cost.read_bytes + cost.write_bytes) / (device.bandwidth_bytes_per_s * reached.bandwidth)
    return max(compute_s, memory_s) + cost.launches * reached.launch_s
