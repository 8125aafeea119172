"""The backend `pallas`: a JAX program with Pallas kernels for every network that was placed on a TPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...ir.diagnostics import InputError
from .. import EmitContext, OutputFile
from ..networks import emit_networks

if TYPE_CHECKING:
    from ...costmodel.hardware import Device
    from ..networks import PlacedNetwork

FOLDER = "pallas"
"""Where such programs stand in an output folder: `pallas/<network>/`."""


@dataclass(frozen=True)
class PallasBackend:
    """Writes `pallas/<node>/` with `<name>.py`, its kernels, `run.py` and `<name>.safetensors`."""

    name: str = "pallas"

    def emit(self, plan: Mapping[str, Any], context: EmitContext) -> list[OutputFile]:
        """Programs of the networks on TPUs, but of those without an operator that has a kernel, which JAX runs."""
        return emit_networks(plan, context, FOLDER, _files)


def _files(placed: PlacedNetwork) -> list[OutputFile]:
    from .emit import emit_pallas

    device, size_bytes, name = placed.target.device, placed.target.scratchpad_bytes, placed.node
    if device is None or size_bytes is None or not serves(device):
        return []
    try:
        return emit_pallas(placed.lowered, name, device.id, core_bytes(device, size_bytes)).files(f"{FOLDER}/{name}")
    except InputError:
        return []


def serves(device: Device) -> bool:
    """Whether Pallas compiles for `device`: a TPU. Google's Edge TPU, which runs TFLite alone, is none."""
    return device.kind == "npu" and device.vendor == "Google" and device.id.startswith("tpu")


def core_bytes(device: Device, scratchpad_bytes: float) -> int:
    """[bytes] of VMEM that one kernel has: `scratchpad_bytes` are those of all cores, and a kernel runs on one."""
    return int(scratchpad_bytes) // int(device.multiprocessors or 1)
