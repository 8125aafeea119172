"""Networks in the ops that JAX code is emitted for."""

from __future__ import annotations

from dataclasses import replace

from ...ir import nn
from ...passes.nn import decompose_attention, decompose_experts, decompose_fusions
from ...passes.nn.draft import Draft, Patterns, sweep
from .operators import EXPRESSIONS

APART: Patterns = {**decompose_fusions.PATTERNS, **decompose_attention.PATTERNS, **decompose_experts.PATTERNS}


def taken_apart(network: nn.NnModule) -> nn.NnModule:
    """`network` with ops that have no expression of their own as what they stand for; XLA fuses again by itself."""
    patterns = {kind: found for kind, found in APART.items() if kind not in EXPRESSIONS}
    if not any(type(op) in patterns for op in nn.body_of(network.module)):
        return network
    draft = Draft(network.module.clone(), dict(network.weights))
    sweep(draft, patterns)
    return replace(network, module=draft.module)
