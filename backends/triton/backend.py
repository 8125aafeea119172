"""The backend `triton`: a kernel for every fused chain of a network that was placed on a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import EmitContext, OutputFile
from ..networks import placed_networks

if TYPE_CHECKING:
    from ...ir.nn import FusedElementwiseOp, NnModule

FOLDER = "triton"
DTYPES = ("float32", "float16")
"""What kernels are emitted for; chains of other types or functions are left to JAX."""


@dataclass(frozen=True)
class TritonBackend:
    """Writes `triton/<node>/chain_<n>.py`, one for each different chain, and the library kernel that they import."""

    name: str = "triton"

    def emit(self, plan: Mapping[str, Any], context: EmitContext) -> list[OutputFile]:
        """Kernels of the nodes whose `graph` is an ONNX file and whose device is a GPU."""
        from .emit import emit_triton

        files: dict[str, str] = {}
        for node, kind, network in placed_networks(plan, context):
            for number, op in enumerate(distinct_chains(network) if kind == "gpu" else (), 1):
                source = emit_triton(op, f"chain_{number}")
                files |= {f"{FOLDER}/{node}/{path}": text for path, text in source.sources.items()}
        return [OutputFile(path, text) for path, text in files.items()]


def distinct_chains(network: NnModule) -> list[FusedElementwiseOp]:
    """The fused chains of `network` in order, the first of those that are alike in steps, shapes and types."""
    from ...ir import nn
    from ..dtypes import dtype_of
    from .emit import WITHOUT_KERNEL

    found: dict[tuple[object, ...], FusedElementwiseOp] = {}
    for op in nn.body_of(network.module):
        if not isinstance(op, nn.FusedElementwiseOp) or WITHOUT_KERNEL.intersection(kind for kind, _ in op.chain):
            continue
        if dtype_of(op.type) in DTYPES:
            found.setdefault((op.steps, *(operand.type for operand in op.operands)), op)
    return list(found.values())
