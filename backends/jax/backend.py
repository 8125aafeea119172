"""The backend `jax`: source and weights for every `model` node of a plan that is given as an ONNX file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import EmitContext, OutputFile
from . import FOLDER

if TYPE_CHECKING:
    from .emit import JaxSource


@dataclass(frozen=True)
class JaxBackend:
    """
    Writes `jax/<node>/<name>.py` and `jax/<node>/run.py`; `<name>` is the node's as a Python identifier.

    Weights are no text, so `weights` gives them apart; without them beside the sources nothing runs.
    """

    name: str = "jax"

    def emit(self, plan: Mapping[str, Any], context: EmitContext) -> list[OutputFile]:
        """The sources; raises `InputError` for a graph that cannot be read or that JAX code is not emitted for."""
        return [
            OutputFile(f"{place}/{file}", text)
            for place, source in _networks(plan, context)
            for file, text in source.sources.items()
        ]

    def weights(self, plan: Mapping[str, Any], context: EmitContext) -> dict[str, bytes]:
        """The content of `jax/<node>/<name>.npz` by path; raises as `emit` does."""
        from .weights import npz_bytes

        return {f"{place}/{s.name}.npz": npz_bytes(s.weights) for place, s in _networks(plan, context)}


def _networks(plan: Mapping[str, Any], context: EmitContext) -> Iterator[tuple[str, JaxSource]]:
    """(folder, source) for each node whose `graph` is an ONNX file; none where the plan places nothing."""
    if not plan.get("placements"):
        return
    from ...ir.read.onnx import read_onnx
    from .emit import emit_jax

    for name, node in sorted(plan["inputs"]["graph"]["nodes"].items()):
        graph = node.get("graph")
        if node["kind"] == "model" and isinstance(graph, str) and graph.endswith(".onnx"):
            yield f"{FOLDER}/{name}", emit_jax(read_onnx(context.base_dir / graph), name)
