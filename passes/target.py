"""Prepares a tensor network for planning, and for the device that it was placed on."""

from __future__ import annotations

from ..ir import nn
from ..ir.verify import verify_module
from . import NN_PIPELINE, TARGET_PIPELINE
from .nn import run


def simplify(network: nn.NnModule, device: str = "gpu") -> nn.NnModule:
    """A copy of `network` after NN_PIPELINE: what can be said of it wherever it runs."""
    return _run(network, NN_PIPELINE, device)


def lower_for_target(network: nn.NnModule, kind: str, device: str | None = None) -> nn.NnModule:
    """
    A copy of `network` after NN_PIPELINE and TARGET_PIPELINE[kind].

    `device` is the catalogue's device that decides what pays; without it one that is usual for the kind does. KeyError
    for a kind of device that has no pipeline. Where a network goes to a hosted API, it stays as it is.
    """
    pipeline = TARGET_PIPELINE[kind]
    return _run(network, (*NN_PIPELINE, *pipeline), device or kind) if pipeline else network


def _run(network: nn.NnModule, pipeline: tuple[tuple[str, str], ...], device: str) -> nn.NnModule:
    done, _ = run(network, [name for name, _ in pipeline], device)
    verify_module(done.module, f"the network after the passes for `{device}`")
    return done
