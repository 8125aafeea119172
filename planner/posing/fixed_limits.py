"""Limits that no placement can change: a model's context, and the calls that a tool allows in flight."""

from __future__ import annotations

from collections.abc import Iterator

from ...costmodel.cpu import node_work
from ...ir.agent import ToolCallOp
from ...ir.alternatives import models_of
from ...ir.diagnostics import Diagnostic, Label
from ...ir.source import SourceMap
from ...ir.split import without_class
from ..candidates.llm.calls import visits_of
from ..candidates.setting import Setting


def limit_faults(setting: Setting, places: SourceMap) -> list[Diagnostic]:
    """An error for each node that asks for more than it can ever have."""
    return [*_long_contexts(setting, places), *_crowded_tools(setting, places)]


def _long_contexts(setting: Setting, places: SourceMap) -> Iterator[Diagnostic]:
    """Contexts that are longer on average than any model of the node was made for."""
    named: set[str] = set()
    for name, prefill, decode, _ in setting.llm_nodes:
        node = without_class(name)
        known = [setting.llms[each] for each in models_of(prefill) if each in setting.llms]
        model = max(known, key=lambda llm: llm.context_tokens, default=None)
        last = visits_of(prefill, decode, len(setting.visits[name]))[-1]
        all_known = len(known) == len(models_of(prefill)) and node not in named
        if model is not None and all_known and last.prompt + last.output > model.context_tokens:
            named.add(node)
            message = (
                f"`{node}` comes to {last.prompt + last.output:g} tokens, and the context of `{model.id}` "
                f"is {model.context_tokens}"
            )
            span = places.value(("nodes", node, "prompt_tokens"))
            yield Diagnostic(
                "context", message, (Label(span),), "shorten the prompt, or name a model of longer context"
            )


def _crowded_tools(setting: Setting, places: SourceMap) -> Iterator[Diagnostic]:
    """Tools that are called faster than their `concurrency` lets calls end."""
    hosts = [device for device in setting.devices.values() if device.kind == "cpu"]
    for node, op in setting.written.items():
        if not isinstance(op, ToolCallOp) or not hosts:
            continue
        try:
            node_work(op, hosts[0], (setting.rate_per_s or 0.0) * setting.visits_per_request[node])
        except ValueError as error:
            span = places.value(("nodes", node, "concurrency"))
            yield Diagnostic("concurrency", f"`{node}`: {error}", (Label(span),), "raise it, or lower the rate")
