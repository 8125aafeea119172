"""Memory that one call of a node takes, from the node as graph.yaml writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...ir.units import parse

_FP32_BYTES = 4


def memory_bytes(node: Mapping[str, Any]) -> tuple[float, float]:
    """(mean, peak) of one call [bytes]; 0 where the file gives none. A lookup holds its vectors in fp32."""
    if node.get("kind") == "lookup" and node.get("vectors") and node.get("dimensions"):
        held = float(node["vectors"]) * float(node["dimensions"]) * _FP32_BYTES
        return held, 0.0
    written = node.get("memory")
    if isinstance(written, Mapping):
        mean = _bytes(written.get("mean") or written.get("peak"))
        return mean, _bytes(written.get("peak") or written.get("mean"))
    size = _bytes(written)
    return size, size


def _bytes(written: object) -> float:
    if written is None:
        return 0.0
    if isinstance(written, int | float):
        return float(written)  # already normalised
    return parse(written, "bytes")
