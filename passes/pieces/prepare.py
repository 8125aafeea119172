"""A network as it is shared among unlike devices: after the passes that every kind of device wants."""

from __future__ import annotations

from ...ir import nn
from .. import NN_PIPELINE
from ..nn import run

PASSES = (*(name for name, _ in NN_PIPELINE), "fuse-conv-batch-norm", "fold-constants")


def prepare(network: nn.NnModule) -> nn.NnModule:
    """A copy of `network` after `PASSES`; a placement of its ops is one of the ops that this has."""
    return run(network, PASSES, "gpu")[0]
