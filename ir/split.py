"""Traffic of one node split into classes of visits, each of which is placed by itself.

A request is of one class at each node from its first visit on: prompts grow from the first, and what was read before is
cached where it was read. By length a class is `low < prompt_tokens <= high`, of the first visit; by parts, each of n
classes is the n-th of all requests, drawn at random, and nothing tells them apart. Equation (37) of
`docs/math/placement.md`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from .distribution import Distribution

if TYPE_CHECKING:
    from xdsl.ir import Operation

MARK = "#"
"""Between a node and the number of one of its classes: `think#2`. No node's name has it."""
AUTO_RANKS = (0.5, 0.8, 0.95)
"""`prompt_tokens: auto` takes the quantiles of the prompt at these ranks for thresholds."""
MOST_CLASSES = 8
RARE = 1e-6
"""A class of a smaller share of the requests is none."""


@dataclass(frozen=True)
class VisitClass:
    """The requests of one class at a node."""

    node: str
    number: int
    """from 1: by length the shortest prompts first"""
    of: int
    """how many classes the node has"""
    share: float
    """of the node's requests"""
    prompt: Distribution | None = None
    """law of the first prompt of such requests [tokens]; None where the node is split into parts"""
    low: float = 0.0
    high: float = math.inf
    """[tokens], or the numbers of the parts: those over `low` and up to `high`"""

    @property
    def name(self) -> str:
        """What the class is called inside the planner, where it is a node of its own."""
        return f"{self.node}{MARK}{self.number}"


def without_class(name: str) -> str:
    """The user's name of a node, or of one of its pieces: `think#2.prefill` is of `think.prefill`."""
    head, mark, tail = name.partition(MARK)
    return f"{head}{tail.lstrip('0123456789')}" if mark else name


def classes_of(op: Operation, node: str) -> tuple[VisitClass, ...]:
    """The classes of the node that `op` is, or is a phase of; none where its traffic is not split."""
    from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, FloatAttr, IntegerAttr

    from .dist import DistAttr  # the dialects, which the schema of files does without

    split = op.attributes.get("split")
    if not isinstance(split, DictionaryAttr):
        return ()
    parts, thresholds = split.data.get("parts"), split.data.get("prompt_tokens")
    if isinstance(parts, IntegerAttr):
        n = parts.value.data
        return tuple(VisitClass(node, k, n, 1 / n, None, k - 1.0, k if k < n else math.inf) for k in range(1, n + 1))
    prompt = op.attributes["prompt_tokens"]
    assert isinstance(thresholds, ArrayAttr)
    assert isinstance(prompt, DistAttr)
    law = prompt.value
    ends = [0.0, *(t.value.data for t in thresholds if isinstance(t, FloatAttr)), math.inf]
    return tuple(
        VisitClass(node, k, len(ends) - 1, share_between(law, low, high), between(law, low, high), low, high)
        for k, (low, high) in enumerate(pairwise(ends), 1)
    )


def auto_thresholds(law: Distribution) -> list[float]:
    """Whole numbers of tokens near the quantiles of `law` at AUTO_RANKS, but those that leave a class empty."""
    found: list[float] = []
    for rank in AUTO_RANKS:
        threshold = float(round(law.quantile(rank)))
        low = found[-1] if found else 0.0
        if threshold > low and min(share_between(law, low, threshold), share_between(law, threshold, math.inf)) > RARE:
            found.append(threshold)
    return found


def share_between(law: Distribution, low: float, high: float) -> float:
    """P(low < X <= high) of a positive quantity."""
    return _reached(law, high) - _reached(law, low)


def between(law: Distribution, low: float, high: float) -> Distribution:
    """The law of X where low < X <= high; ValueError where that does not happen, or the kind has no such law."""
    start, end = _reached(law, low), _reached(law, high)
    if end <= start:
        raise ValueError(f"nothing lies between {low:g} and {high:g}")
    if start <= 0 and end >= 1:
        return law
    if law.shift:
        return between(Distribution(law.kind, law.params), low - law.shift, high - law.shift).shifted(law.shift)
    if law.kind == "samples":
        return Distribution("samples", tuple(x for x in law.params if low < x <= high))
    if law.kind == "lognormal":
        return Distribution("truncated", (*law.params, start, end))
    if law.kind == "quantiles":
        return _between_knots(law, low, start, end)
    raise ValueError(f"a {law.kind} quantity cannot be split by its size")


def _between_knots(law: Distribution, low: float, start: float, end: float) -> Distribution:
    """The stretches between two ranks, each as likely as before beside the others."""
    inside = [(p, v) for p, v in law.knots if start < p < end]
    knots = [(start, max(low, law.quantile(start))), *inside, (end, law.quantile(end))]
    ranks = [(p - start) / (end - start) for p, _ in knots]
    ranks[-1] = 1.0
    return Distribution("quantiles", tuple(x for p, (_, v) in zip(ranks, knots, strict=True) for x in (p, v)))


def _reached(law: Distribution, x: float) -> float:
    return 1.0 if math.isinf(x) else 0.0 if x <= 0 else law.cdf(x)


def when_of(classes: Sequence[VisitClass]) -> str | None:
    """How plan.json tells some classes of a node, the first first; None for all of them.

    `prompt_tokens <= 4000`, `4000 < prompt_tokens <= 16000`, `prompt_tokens > 16000`, with `or` between; `part <= 3`,
    `1 < part <= 3`, `part > 3` of parts.
    """
    if len(classes) == classes[0].of:
        return None
    runs: list[list[VisitClass]] = []
    for each in classes:
        if runs and runs[-1][-1].number == each.number - 1:
            runs[-1].append(each)
        else:
            runs.append([each])
    return " or ".join(_interval(run[0], run[-1]) for run in runs)


def _interval(first: VisitClass, last: VisitClass) -> str:
    what = "part" if first.prompt is None else "prompt_tokens"
    if math.isinf(last.high):
        return f"{what} > {figure(first.low)}"
    above = f"{figure(first.low)} < " if first.low else ""
    return f"{above}{what} <= {figure(last.high)}"


def is_when(when: str | None, each: VisitClass) -> bool:
    """Whether the condition of a row of plan.json speaks of a class; ValueError where it says nothing of this kind."""
    if when is None:
        return True
    what = "part" if each.prompt is None else "prompt_tokens"
    form = re.compile(rf"(?:(?P<above>{NUMBER}) < )?{what}(?: <= (?P<high>{NUMBER})| > (?P<low>{NUMBER}))")
    intervals = []
    for text in when.split(" or "):
        match = form.fullmatch(text)
        if match is None or (match["above"] and match["low"]):
            raise ValueError(f"`{when}` is no condition on `{what}`")
        low = float(match["above"] or match["low"] or 0.0)
        intervals.append((low, float(match["high"]) if match["high"] else math.inf))
    return any(low <= each.low and each.high <= high for low, high in intervals)


NUMBER = r"\d+(?:\.\d+)?(?:e[+-]?\d+)?"


def figure(x: float) -> str:
    """A number as short as it can be told from others."""
    return str(int(x)) if x == int(x) else repr(x)
