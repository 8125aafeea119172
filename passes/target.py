"""Prepares a tensor network for planning, and for the device that it was placed on."""

from __future__ import annotations

from dataclasses import replace

from ..ir import nn
from ..ir.verify import verify_module
from . import NN_PIPELINE, TARGET_PIPELINE
from .nn import run
from .nn.precisions import Precisions
from .nn.set_precision import Reduced, reduced


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


def lower_at_precision(
    network: nn.NnModule,
    kind: str,
    device: str | None = None,
    wanted: Precisions | None = None,
    by_type: bool = False,
) -> Reduced:
    """
    As `lower_for_target`, in the precisions `wanted`, or in those of the file.

    They are set between both pipelines: patterns are found before casts stand between their ops, and fusions made
    after, around what is cast. `by_type` as in `reduced`.
    """
    if wanted is None:
        return Reduced(lower_for_target(network, kind, device))
    done = at_precision(network, wanted, device or kind, by_type)
    return replace(done, network=_run(done.network, TARGET_PIPELINE[kind], device or kind))


def at_precision(network: nn.NnModule, wanted: Precisions, device: str = "gpu", by_type: bool = False) -> Reduced:
    """A copy of `network` after NN_PIPELINE and in the precisions `wanted`, before it is known where it runs."""
    simple = _run(network, (*NN_PIPELINE, ("decompose-fusions", "each op has a precision of its own")), device)
    return reduced(simple, wanted, by_type)


def _run(network: nn.NnModule, pipeline: tuple[tuple[str, str], ...], device: str) -> nn.NnModule:
    done, _ = run(network, [name for name, _ in pipeline], device)
    verify_module(done.module, f"the network after the passes for `{device}`")
    return done
