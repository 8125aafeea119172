"""The backend `scratchpad`: a program for every network that was placed on an NPU whose scratchpad is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...ir.diagnostics import Infeasible, InputError
from .. import EmitContext, OutputFile
from ..networks import emit_networks
from ..pallas.backend import serves
from . import FOLDER

if TYPE_CHECKING:
    from ...ir.nn import NnModule
    from ..networks import PlacedNetwork
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
        return emit_networks(plan, context, FOLDER, _files)


def _files(placed: PlacedNetwork) -> list[OutputFile]:
    from .emit import emit

    program = program_on(placed)
    return [] if program is None else emit(program).files(f"{FOLDER}/{placed.node}")


def program_on(placed: PlacedNetwork) -> ScratchpadProgram | None:
    """
    The program of a network on the device that it was placed on, with weights streamed.

    None where the device is no NPU, or a TPU, or has no scratchpad of a known size, where an operator does not fit into
    it, and where there is no such program for one, or for its elements.
    """
    size_bytes, device = placed.target.scratchpad_bytes, placed.target.device
    if size_bytes is None or (device is not None and serves(device)):
        return None
    try:
        return program_within(placed.lowered, placed.node, int(size_bytes))
    except (Infeasible, InputError):
        return None


def program_within(network: NnModule, name: str, size_bytes: int) -> ScratchpadProgram:
    """
    The program of `network`, lowered for an NPU, on a scratchpad of `size_bytes`, with weights streamed.

    Infeasible where an operator does not fit, InputError where there is no such program for one, or for its elements.
    """
    from .lower import lower

    return lower(network, name, size_bytes, alignment_bytes=ALIGNMENT_BYTES, time_limit_s=TIME_LIMIT_S)
