"""
Passes over tensor networks, one file each, and the function that runs some of them over a network with its weights.

A pass that sees the values of weights may do more than one that sees text alone (`dovetail-opt`): masks and tables are
weights. Every pattern has a name, under which it is counted each time that it fires.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...ir.nn import NnModule

PASSES = (
    "fold-constants",
    "canonicalise",
    "merge-equal-ops",
    "recognise-activations",
    "recognise-softmax",
    "recognise-norms",
    "recognise-attention",
    "fuse-conv-batch-norm",
    "decompose-batch-norm",
    "fuse-epilogue",
    "fuse-elementwise",
    "remove-dead-code",
)
"""The names of all passes over tensor networks; each keeps the meaning of `main`."""


def run(network: NnModule, names: Iterable[str], device: str = "gpu") -> tuple[NnModule, dict[str, int]]:
    """
    A copy of `network` after the passes `names` in order, and how often each pattern fired, by name.

    `device` is a device of the catalogue or a kind; it decides what pays. InputError for a name that is no pass.
    """
    from ...ir.nn import NnModule
    from .. import find_pass
    from .draft import Draft
    from .nn_pass import NnPass
    from .profit import target_of

    draft = Draft(network.module.clone(), dict(network.weights), target_of(device))
    for name in names:
        found = find_pass(name)
        assert issubclass(found, NnPass), f"`{name}` is no pass over tensor networks"
        found(device).rewrite(draft)
    done = NnModule(draft.module, draft.weights, network.input_names, network.output_names)
    return done, dict(draft.fired)
