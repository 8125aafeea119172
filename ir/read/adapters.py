"""Rules on the low-rank adapters of llm nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .alternatives import names_of
from .fields import Reading

Node = Mapping[str, Any]


def check_adapters(nodes: Mapping[str, Node | None], to: Reading) -> None:
    """An adapter belongs to one model, and adapters of one name and model are one."""
    seen: dict[tuple[str, str], tuple[str, Node]] = {}
    for name, node in nodes.items():
        if node is None or "adapter" not in node or "model" not in node:
            continue
        path, adapter, models = ("nodes", name, "adapter"), node["adapter"], names_of(node)
        if len(models) > 1:
            message = f"an adapter is made for one model, and `{name}` names {len(models)}"
            to.fault(path, "conflict", message, "name its model alone", key=True)
            continue
        called = adapter.get("name", name)
        first, other = seen.setdefault((models[0], called), (name, adapter))
        if {**other, "name": called} != {**adapter, "name": called}:
            message = f"the adapter `{called}` of `{name}` is not as that of `{first}`"
            to.fault(path, "adapter", message, "give them different names, or the same figures", key=True)
