"""What may not stand under a node's `split`: thresholds that leave a class empty, and nodes that cannot be split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..distribution import Distribution
from ..source import Path as DocumentPath
from ..split import MOST_CLASSES, RARE, auto_thresholds, figure, share_between
from .fields import Reading


def check_split(name: str, node: Mapping[str, Any], priced: bool, batch: bool, to: Reading) -> None:
    """Note what is wrong with the split of one node; `priced` where profiles have its figures."""
    split = node.get("split")
    if split is None:
        return
    path: DocumentPath = ("nodes", name, "split")
    written = {key for key in ("parts", "prompt_tokens") if key in split or (*path, key) in to.sources.keys}
    if len(written) == 2:
        message = f"`{name}` is split both by length and into parts"
        to.fault((*path, "parts"), "conflict", message, "remove one of them", key=True)
    elif not written:
        message = f"the split of `{name}` does not say how"
        to.fault(path, "missing-key", message, "write `split: {parts: 2}`", key=True)
    if priced:
        message = f"`{name}` has measured figures of whole visits, which say nothing of classes of them"
        to.fault(path, "conflict", message, "remove `split`, or the profile", key=True)
    if isinstance(node.get("model"), list):
        to.later(path, "a split of a node with alternatives", "name one model", key=True)
    if batch:
        to.later(path, "a split in a batch", "remove `split`", key=True)
    law = node.get("prompt_tokens")
    if "prompt_tokens" in split and isinstance(law, Distribution):
        _check_thresholds(name, split["prompt_tokens"], law, (*path, "prompt_tokens"), to)


def _check_thresholds(name: str, thresholds: Any, law: Distribution, path: DocumentPath, to: Reading) -> None:
    """Each threshold over the one before, and requests in each class between."""
    if thresholds == "auto":
        if not auto_thresholds(law):
            message = f"the prompts of `{name}` are all of one length"
            to.fault(path, "split", message, "give `prompt_tokens` of the node as a distribution, or split into parts")
        return
    if len(thresholds) >= MOST_CLASSES:
        message = f"{len(thresholds)} thresholds make more than {MOST_CLASSES} classes"
        to.fault(path, "range", message)
        return
    low = 0.0
    for number, high in enumerate(thresholds):
        at = (*path, number) if (*path, number) in to.sources.values else path
        if high <= low:
            message = f"the thresholds of `{name}` do not rise: {figure(high)} follows {figure(low)}"
            to.fault(at, "split", message, "write them in rising order")
            return
        if share_between(law, low, high) <= RARE:
            least = f"of {figure(high)} token{'s' if high != 1 else ''} or fewer"
            where = least if not low else f"from {figure(low)} to {figure(high)} tokens"
            to.fault(at, "split", f"`{name}` has no prompts {where}", _range(law))
        low = high
    if share_between(law, low, float("inf")) <= RARE:
        at = (*path, len(thresholds) - 1) if (*path, len(thresholds) - 1) in to.sources.values else path
        to.fault(at, "split", f"`{name}` has no prompts of more than {figure(low)} tokens", _range(law))


def _range(law: Distribution) -> str:
    """Where thresholds may lie."""
    if law.quantile(0.001) == law.quantile(0.999):
        return f"all its prompts have {figure(law.mean)} tokens: split into parts"
    return f"nearly all its prompts have {law.quantile(0.001):.0f} to {law.quantile(0.999):.0f} tokens"
