"""The backend `jax`: source and weights for every `model` node of a plan that is given as a file of a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import EmitContext, OutputFile
from ..networks import emit_networks
from . import FOLDER

if TYPE_CHECKING:
    from ..networks import PlacedNetwork


@dataclass(frozen=True)
class JaxBackend:
    """
    Writes `jax/<node>/` with `<name>.py`, `run.py`, `weights_file.py` and `<name>.safetensors`; `<name>` is the node's
    as a Python identifier.
    """

    name: str = "jax"

    def emit(self, plan: Mapping[str, Any], context: EmitContext) -> list[OutputFile]:
        """
        Sources and weights of the nodes whose `graph` is a file of a network, lowered for their devices.

        Raises `InputError` for a graph that cannot be read or that JAX code is not emitted for.
        """
        return emit_networks(plan, context, FOLDER, _files)


def _files(placed: PlacedNetwork) -> list[OutputFile]:
    from .emit import emit_jax

    return emit_jax(placed.lowered, placed.node).files(f"{FOLDER}/{placed.node}")
