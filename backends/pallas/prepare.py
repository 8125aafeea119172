"""A network in the ops that kernels and JAX code are emitted for: products with what follows them, the rest apart."""

from __future__ import annotations

from dataclasses import replace

from ...ir import nn
from ...ir.diagnostics import InputError
from ...passes.nn import run
from ...passes.nn.decompose_fusions import inline
from ...passes.nn.draft import Draft, Patterns, Replacement, sweep
from ..jax.operators import EXPRESSIONS
from ..jax.taken_apart import APART
from .calls import call_of


def prepared(network: nn.NnModule, device: str, vmem_bytes: float) -> nn.NnModule:
    """
    `network` with epilogues in its products, but for fusions that no kernel computes.

    `device` is the catalogue's, and decides which fusions pay.
    """
    fused, _ = run(network, ["fuse-epilogue"], device)
    draft = Draft(fused.module, dict(fused.weights))

    def apart(op: nn.FusionOp, draft: Draft) -> Replacement:
        try:
            return None if call_of(op, vmem_bytes) else inline(op, draft)
        except InputError:
            return inline(op, draft)

    others = {kind: found for kind, found in APART.items() if kind not in EXPRESSIONS and kind is not nn.FusionOp}
    patterns: Patterns = {**others, nn.FusionOp: [("fusion-apart", apart)]}
    sweep(draft, patterns)
    return replace(fused, module=draft.module, weights=draft.weights)
