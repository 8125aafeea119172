"""The backend `jax`: source and weights for every `model` node of a plan that is given as an ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import EmitContext, OutputFile
from . import FOLDER


@dataclass(frozen=True)
class JaxBackend:
    """Writes `jax/<node>/<name>.py`, `run.py` and `<name>.npz`; `<name>` is the node's as a Python identifier."""

    name: str = "jax"

    def emit(self, plan: Mapping[str, Any], context: EmitContext) -> list[OutputFile]:
        """
        Sources and weights of the nodes whose `graph` is an ONNX file; none where the plan places nothing.

        Raises `InputError` for a graph that cannot be read or that JAX code is not emitted for.
        """
        if not plan.get("placements"):
            return []
        from ...ir.read.onnx import read_onnx
        from .emit import emit_jax

        files: list[OutputFile] = []
        for name, node in sorted(plan["inputs"]["graph"]["nodes"].items()):
            graph = node.get("graph")
            if node["kind"] == "model" and isinstance(graph, str) and graph.endswith(".onnx"):
                network = read_onnx(context.base_dir / graph)
                files += emit_jax(network, name).files(f"{FOLDER}/{name}")
        return files
