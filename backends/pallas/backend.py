"""The backend `pallas`: a JAX program with Pallas kernels for every network that was placed on a TPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...ir.diagnostics import InputError
from .. import EmitContext, OutputFile
from ..fleet_devices import known_device, scratchpad_bytes
from ..networks import placed_networks

if TYPE_CHECKING:
    from ...costmodel.hardware import Device
    from ...ir.nn import NnModule

FOLDER = "pallas"
"""Where such programs stand in an output folder: `pallas/<network>/`."""


@dataclass(frozen=True)
class PallasBackend:
    """Writes `pallas/<node>/` with `<name>.py`, its kernels, `run.py` and `<name>.safetensors`."""

    name: str = "pallas"

    def emit(self, plan: Mapping[str, Any], context: EmitContext) -> list[OutputFile]:
        """Programs of the networks on TPUs, but of those without an operator that has a kernel, which JAX runs."""
        devices = {p["piece"].rpartition(".")[0]: p["device"] for p in plan.get("placements") or ()}
        found: list[OutputFile] = []
        for node, _, network in placed_networks(plan, context):
            device = known_device(plan["inputs"], devices[node])
            size_bytes = scratchpad_bytes(plan["inputs"], devices[node])
            if device is not None and size_bytes is not None and serves(device):
                found += _files(network, node, device, size_bytes)
        return found


def _files(network: NnModule, node: str, device: Device, size_bytes: float) -> list[OutputFile]:
    from .emit import emit_pallas

    try:
        return emit_pallas(network, node, device.id, core_bytes(device, size_bytes)).files(f"{FOLDER}/{node}")
    except InputError:
        return []


def serves(device: Device) -> bool:
    """Whether Pallas compiles for `device`: a TPU. Google's Edge TPU, which runs TFLite alone, is none."""
    return device.kind == "npu" and device.vendor == "Google" and device.id.startswith("tpu")


def core_bytes(device: Device, scratchpad_bytes: float) -> int:
    """[bytes] of VMEM that one kernel has: `scratchpad_bytes` are those of all cores, and a kernel runs on one."""
    return int(scratchpad_bytes) // int(device.multiprocessors or 1)
