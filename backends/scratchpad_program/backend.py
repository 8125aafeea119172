"""The backend `scratchpad`: a program for every network that was placed on an NPU whose scratchpad is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...ir.diagnostics import Infeasible, InputError
from .. import EmitContext, OutputFile
from ..fleet_devices import known_device, scratchpad_bytes
from ..networks import placed_networks
from ..pallas.backend import serves
from . import FOLDER

if TYPE_CHECKING:
    from ...ir.nn import NnModule
    from .instructions import ScratchpadProgram

ALIGNMENT_BYTES = 64
"""of addresses: a guess, one burst of a DMA engine"""
TIME_LIMIT_S = 5.0
"""for one plan"""


@dataclass(frozen=True)
class ScratchpadBackend:
    """Writes `scratchpad/<node>/<name>.py` and `<name>.safetensors`; `<name>` is the node's as a Python identifier."""

    name: str = "scratchpad"

    def emit(self, plan: Mapping[str, Any], context: EmitContext) -> list[OutputFile]:
        """Programs of the networks on NPUs but TPUs; those that do not fit there untiled are left to JAX."""
        from .emit import emit

        found: list[OutputFile] = []
        for node, kind, network in placed_networks(plan, context):
            program = program_on(plan, node, network) if kind == "npu" else None
            if program is not None:
                found += emit(program).files(f"{FOLDER}/{node}")
        return found


def program_on(plan: Mapping[str, Any], node: str, network: NnModule) -> ScratchpadProgram | None:
    """
    The program of `network`, lowered for the device that `plan` places `node` on, with weights streamed.

    None where the device is a TPU or has no scratchpad of a known size, where an operator does not fit into it, and
    where there is no such program for one, or for its elements.
    """
    devices = {p["piece"].rpartition(".")[0]: p["device"] for p in plan.get("placements") or ()}
    size_bytes, known = scratchpad_bytes(plan["inputs"], devices[node]), known_device(plan["inputs"], devices[node])
    if size_bytes is None or (known is not None and serves(known)):
        return None
    try:
        return program_within(network, node, int(size_bytes))
    except (Infeasible, InputError):
        return None


def program_within(network: NnModule, name: str, size_bytes: int) -> ScratchpadProgram:
    """
    The program of `network`, lowered for an NPU, on a scratchpad of `size_bytes`, with weights streamed.

    Infeasible where an operator does not fit, InputError where there is no such program for one, or for its elements.
    """
    from .lower import lower

    return lower(network, name, size_bytes, alignment_bytes=ALIGNMENT_BYTES, time_limit_s=TIME_LIMIT_S)
