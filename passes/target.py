"""Prepares a tensor network for the kind of device that it was placed on."""

from __future__ import annotations

from ..ir import nn
from . import TARGET_PIPELINE, run_pipeline
from .nn.fold_weights import fold_weights


def lower_for_target(network: nn.NnModule, kind: str) -> nn.NnModule:
    """
    A copy of `network` after the passes of TARGET_PIPELINE[kind], with what depends on weights alone folded.

    KeyError for a kind of device that has no pipeline.
    """
    module = network.module.clone()
    run_pipeline(module, TARGET_PIPELINE[kind])
    return fold_weights(nn.NnModule(module, network.weights, network.input_names, network.output_names))
