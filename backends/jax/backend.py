"""The backend `jax`: source and weights for every `model` node of a plan that is given as an ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import EmitContext, OutputFile
from ..networks import placed_networks
from . import FOLDER


@dataclass(frozen=True)
class JaxBackend:
    """
    Writes `jax/<node>/` with `<name>.py`, `run.py`, `weights_file.py` and `<name>.safetensors`; `<name>` is the node's
    as a Python identifier.
    """

    name: str = "jax"

    def emit(self, plan: Mapping[str, Any], context: EmitContext) -> list[OutputFile]:
        """
        Sources and weights of the nodes whose `graph` is an ONNX file, lowered for their devices.

        Raises `InputError` for a graph that cannot be read or that JAX code is not emitted for.
        """
        from .emit import emit_jax

        networks = placed_networks(plan, context)
        return [file for name, _, net in networks for file in emit_jax(net, name).files(f"{FOLDER}/{name}")]
