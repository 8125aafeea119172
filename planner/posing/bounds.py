"""The bounds of the graphs and of single nodes, on latencies and on quality."""

from __future__ import annotations

from collections.abc import Iterator

from xdsl.dialects.builtin import DictionaryAttr

from ...ir.llm import DecodeOp
from ...ir.members import member_with
from ..candidates.setting import Setting, number
from ..placement.problem import Bound, QualityBound


def bounds(setting: Setting) -> Iterator[Bound]:
    """The graphs' bounds, then those of single nodes, which take the place of the graph's for that node."""
    for member in setting.members:
        of = f"[{member.name}]" if member.name else ""
        for kind in ("first_output", "end_to_end"):
            limit = number(member.slo, f"{kind}_s")
            if limit is not None:
                percentile = _fraction(number(member.slo, "percentile"))
                yield Bound(f"slo.{kind}{of}", kind, limit, percentile, graph=member.name)
    for op in setting.written.values():
        if not isinstance(op, DecodeOp):
            continue
        own = op.attributes.get("slo")
        own = own if isinstance(own, DictionaryAttr) else None
        whole = member_with(setting.members, op.node.data).slo
        percentile = number(own, "percentile") or number(whole, "percentile")
        for kind in ("ttft", "tbt"):
            limit = number(own, f"{kind}_s") or number(whole, f"{kind}_s")
            if limit is not None:
                node = op.node.data
                yield Bound(f"slo.{kind}[{node}]", kind, limit, _fraction(percentile), node)


def quality_bounds(setting: Setting) -> Iterator[QualityBound]:
    """The graphs' bounds on their mean quality, then those of single nodes."""
    for member in setting.members:
        least = number(member.slo, "quality")
        if least is not None:
            of = f"[{member.name}]" if member.name else ""
            yield QualityBound(f"slo.quality{of}", least, graph=member.name)
    for node, prefill, _, _ in setting.llm_nodes:
        least = number(prefill.slo, "quality")
        if least is not None:
            yield QualityBound(f"slo.quality[{node}]", least, node)


def _fraction(percentile: float | None) -> float | None:
    return None if percentile is None else percentile / 100
