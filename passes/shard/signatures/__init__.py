"""
The signatures of each nn op, one file for each file of `ir/nn`; an op without a rule runs whole on every rank.

Each signature is proved in tests: the op run on what the ranks hold, against the op on whole tensors.
"""

from xdsl.ir import Operation

from ..states import State
from . import (
    attention,
    collectives,
    experts,
    indexing,
    layout,
    norms,
    products,
    quantise,
    reductions,
    resize,
    scalars,
    windows,
)
from .signature import AxisMap, Local, Mesh, Rules, Signature, whole

SIGNATURES: Rules = {
    **scalars.SIGNATURES,
    **products.SIGNATURES,
    **windows.SIGNATURES,
    **resize.SIGNATURES,
    **reductions.SIGNATURES,
    **norms.SIGNATURES,
    **layout.SIGNATURES,
    **indexing.SIGNATURES,
    **attention.SIGNATURES,
    **experts.SIGNATURES,
    **quantise.SIGNATURES,
    **collectives.SIGNATURES,
}
"""Op class -> its rule."""


def signatures_of(op: Operation, ranks: int) -> tuple[Signature, ...]:
    """Every way in which `ranks` ranks may share `op`, running it whole first; no two have the same states."""
    rule = SIGNATURES.get(type(op))
    found = rule(op, ranks) if rule else ()
    listed = found.signatures(op, ranks) if isinstance(found, AxisMap) else found
    distinct: dict[tuple[tuple[State, ...], tuple[State, ...]], Signature] = {}
    for signature in (whole(op), *listed):
        distinct.setdefault((signature.operands, signature.results), signature)
    return tuple(distinct.values())


__all__ = ["SIGNATURES", "Local", "Mesh", "Signature", "signatures_of"]
