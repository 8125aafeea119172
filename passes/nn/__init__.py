"""
Passes over tensor networks, one file each, and the function that runs some of them over a network with its weights.

A pass that sees the values of weights may do more than one that sees text alone (`dovetail-opt`): masks and tables are
weights. Every pattern has a name, under which it is counted each time that it fires.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...ir.collector import collector_paused

if TYPE_CHECKING:
    from ...ir.nn import NnModule

PASSES = (
    "fold-constants",
    "canonicalise",
    "merge-equal-ops",
    "remove-dead-code",
    "infer-shapes",
    "recognise-activations",
    "recognise-softmax",
    "recognise-norms",
    "recognise-rotary",
    "recognise-attention",
    "cancel-transposes",
    "fuse-conv-batch-norm",
    "fuse-horizontal",
    "fuse-epilogue",
    "fuse-elementwise",
    "decompose-batch-norm",
    "decompose-activations",
    "decompose-norms",
    "decompose-attention",
    "decompose-experts",
    "decompose-fusions",
    "tile-products{m=4 n=4 k=4}",
    "tile-convolutions{filters=2 rows=3}",
)
"""All passes over tensor networks that keep the meaning of `main`, as `dovetail-opt` takes them; `quantise-weights`
does not keep it."""


@collector_paused()
def run(network: NnModule, names: Iterable[str], device: str = "gpu") -> tuple[NnModule, dict[str, int]]:
    """
    A copy of `network` after the passes `names` (with options, as in `a{m=4}`) in order, and how often each pattern
    fired, by name.

    `device` is a device of the catalogue or a kind; it decides what pays. InputError for a name that is no pass.
    """
    from dataclasses import replace

    from ...ir.nn import NnModule
    from .. import passes_of
    from .draft import Draft
    from .nn_pass import NnPass
    from .profit import target_of

    draft = Draft(network.module.clone(), dict(network.weights), target_of(device))
    for name in names:
        for found in passes_of(name):
            assert isinstance(found, NnPass), f"`{found.name}` is no pass over tensor networks"
            replace(found, device=device).rewrite(draft)
    done = NnModule(draft.module, draft.weights, network.input_names, network.output_names)
    return done, dict(draft.fired)
