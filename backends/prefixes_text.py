"""What a prefix cache saves, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ir.wording import share
from ..planner.batches.prefixes import NodePrefixes


def prefixes_document(found: Sequence[NodePrefixes], unit: str, per_token: float | None) -> dict[str, Any]:
    """The figures as plain data; `cached_prefix_tokens` where prompts are tokens, or `per_token` characters are one."""
    scale = 1.0 if unit == "tokens" else per_token
    nodes = {
        each.node: {
            "calls": each.calls,
            "prompt_mean": round(each.prompt_mean, 3),
            "common_prefix": each.common,
            "cached_prefix_mean": round(each.cached_mean, 3),
            "cached_prefix_tokens": None if scale is None else int(each.cached_mean / scale),
            "read": each.read,
            "saved": each.saved,
        }
        for each in found
    }
    read, saved = sum(each.read for each in found), sum(each.saved for each in found)
    return {"unit": unit, "read": read, "saved": saved, "nodes": nodes}


def prefixes_text(document: dict[str, Any]) -> str:
    """A table, what is saved in all, and the keys to put into graph.yaml."""
    unit, nodes = document["unit"], document["nodes"]
    rows = [["node", "calls", "prompt", "common to all", "cached", "saved"]]
    for name, row in nodes.items():
        part = share(row["saved"] / row["read"]) if row["read"] else "0 %"
        figures = [row[key] for key in ("calls", "prompt_mean", "common_prefix", "cached_prefix_mean")]
        rows.append([name, *(f"{figure:,.0f}" for figure in figures), part])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
    part = share(document["saved"] / document["read"]) if document["read"] else "0 %"
    lines += [
        f"(prompt, common to all, cached: {unit}, means; cached: of a request's first call, read by an earlier call)",
        "",
        f"A cache that forgets nothing saves {document['saved']:,} of {document['read']:,} {unit}, {part}.",
    ]
    told = [f"  {name}: cached_prefix_tokens: {row['cached_prefix_tokens']}" for name, row in nodes.items()]
    if all(row["cached_prefix_tokens"] is not None for row in nodes.values()):
        lines += ["", "For graph.yaml:", *told]
    else:
        lines += ["", "Give prompts as token ids, or `--characters-per-token`, for `cached_prefix_tokens`."]
    return "\n".join(lines) + "\n"
