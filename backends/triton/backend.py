"""The backend `triton`: a kernel for every fused chain of a network that was placed on a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import EmitContext, OutputFile
from ..networks import emit_networks

if TYPE_CHECKING:
    from ...costmodel.hardware import Device
    from ...ir.nn import FusedElementwiseOp, NnModule
    from ..networks import PlacedNetwork

FOLDER = "triton"
DTYPES = ("float32", "float16")
"""What kernels are emitted for; chains of other types or functions are left to JAX."""


@dataclass(frozen=True)
class TritonBackend:
    """
    Writes `triton/<node>/<node>.py` and beside it kernels, weights and `run.py`.

    Where no kernel computes an operator of a network, its fused chains alone become kernels: `chain_<n>.py`.
    """

    name: str = "triton"

    def emit(self, plan: Mapping[str, Any], context: EmitContext) -> list[OutputFile]:
        """Kernels of the nodes whose `graph` is a file of a network and whose device is a GPU."""
        return emit_networks(plan, context, FOLDER, _files)


def _files(placed: PlacedNetwork) -> list[OutputFile]:
    return node_files(placed.node, placed.lowered, placed.target.device) if placed.target.kind == "gpu" else []


def node_files(node: str, network: NnModule, device: Device | None) -> list[OutputFile]:
    """The program of one network for a device of the catalogue, or kernels for its chains."""
    from ...ir.diagnostics import InputError
    from .emit import emit_triton
    from .network import emit_network

    if device is not None:
        try:
            return emit_network(network, node, device).files(f"{FOLDER}/{node}")
        except InputError:
            pass  # `distinct_chains` leaves out what has no kernel
    files: dict[str, str] = {}
    for number, op in enumerate(distinct_chains(network), 1):
        source = emit_triton(op, f"chain_{number}")
        files |= {f"{FOLDER}/{node}/{path}": text for path, text in source.sources.items()}
    return [OutputFile(path, text) for path, text in files.items()]


def distinct_chains(network: NnModule) -> list[FusedElementwiseOp]:
    """The fused chains of `network` in order, the first of those that are alike in steps, shapes and types."""
    from ...ir import nn
    from ..dtypes import dtype_of

    found: dict[tuple[object, ...], FusedElementwiseOp] = {}
    for op in nn.body_of(network.module):
        if isinstance(op, nn.FusedElementwiseOp) and dtype_of(op.type) in DTYPES:
            found.setdefault((op.steps, *(operand.type for operand in op.operands)), op)
    return list(found.values())
