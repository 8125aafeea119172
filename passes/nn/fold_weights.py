"""Works out before the run what depends on weights alone, as one function."""

from __future__ import annotations

from ...ir import nn
from .draft import Draft
from .fold_constants import FoldConstantsPass


def fold_weights(network: nn.NnModule) -> nn.NnModule:
    """A copy of `network` after `fold-constants`: what should be folded is a weight, unused ones are gone."""
    draft = Draft(network.module.clone(), dict(network.weights))
    FoldConstantsPass().rewrite(draft)
    return nn.NnModule(draft.module, draft.weights, network.input_names, network.output_names)
