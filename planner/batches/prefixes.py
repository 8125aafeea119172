"""Prompt prefixes that calls of a batch share, and what a prefix cache saves of them; after Halo (arXiv 2509.02121).

A prefix cache holds the keys and values of prompts that were read, as a tree whose edges are runs of tokens (a radix
tree, as in SGLang, arXiv 2312.07104, section 3). A call that comes later reads only what is not on its way down that
tree. Sorted prompts show the tree without building it: what one shares with any earlier one it shares with one of its
two neighbours among the earlier ones, in sorted order. The cache is taken to be large enough to forget nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...ir.agent import GraphOp, LLMCallOp
from ...ir.diagnostics import Diagnostic, InputError, did_you_mean
from ...ir.read.calls import Call

Prompt = tuple[int, ...] | str


@dataclass(frozen=True)
class NodePrefixes:
    """What the calls of one node share; in tokens, or in characters where prompts are text."""

    node: str
    calls: int
    prompt_mean: float
    """length of a prompt"""
    common: int
    """prefix of every prompt of the node"""
    cached_mean: float
    """of a request's first call of the node, what an earlier call of the same cache has read already"""
    read: int
    """in all prompts together"""
    saved: int
    """of `read`, found in the cache"""


def shared_prefixes(calls: Sequence[Call], cache_of: Mapping[str, str], block: int = 1) -> list[NodePrefixes]:
    """What the calls of each node share with those before them, by node in the order of their first calls.

    `cache_of` names the cache that a node's calls look into, its own where it is absent. Only whole blocks of `block`
    tokens are found in a cache, as servers with paged caches do.
    """
    found = [0] * len(calls)
    for cache in dict.fromkeys(cache_of.get(call.node, call.node) for call in calls):
        members = [n for n, call in enumerate(calls) if cache_of.get(call.node, call.node) == cache]
        for n, length in zip(members, longest_earlier([calls[n].prompt for n in members]), strict=True):
            found[n] = length // block * block
    return [_of_node(node, calls, found, block) for node in dict.fromkeys(call.node for call in calls)]


def _of_node(node: str, calls: Sequence[Call], found: Sequence[int], block: int) -> NodePrefixes:
    members = [n for n, call in enumerate(calls) if call.node == node]
    seen: set[str] = set()
    first = []
    for n in members:
        request = calls[n].request
        if request is None or request not in seen:
            first.append(n)
        seen |= set() if request is None else {request}
    prompts = [calls[n].prompt for n in members]
    read = sum(map(len, prompts))
    common = _shared(min(prompts), max(prompts))  # the first and the last in order share what all share
    return NodePrefixes(
        node,
        len(members),
        read / len(members),
        common // block * block,
        sum(found[n] for n in first) / len(first),
        read,
        sum(found[n] for n in members),
    )


def longest_earlier(prompts: Sequence[Prompt]) -> list[int]:
    """For each prompt the longest prefix that it shares with one before it."""
    order = sorted(range(len(prompts)), key=lambda n: prompts[n])  # type: ignore[arg-type,return-value]
    before: list[int | None] = [None] * len(prompts)
    after: list[int | None] = [None] * len(prompts)
    shared_with_before = [0] * len(prompts)
    for a, b in pairwise(order):
        before[b], after[a] = a, b
        shared_with_before[b] = _shared(prompts[a], prompts[b])
    result = [0] * len(prompts)
    # Taken out from the last on, a prompt finds only earlier ones beside it; neighbours of what goes are joined,
    # and share the least of what they shared with it.
    for n in reversed(range(len(prompts))):
        left, right = before[n], after[n]
        with_right = 0 if right is None else shared_with_before[right]
        result[n] = max(shared_with_before[n], with_right)
        if right is not None:
            before[right], shared_with_before[right] = left, min(shared_with_before[n], with_right)
        if left is not None:
            after[left] = right
    return result


def _shared(a: Prompt, b: Prompt) -> int:
    """Length of the common prefix."""
    low, high = 0, min(len(a), len(b))
    if a[:high] == b[:high]:
        return high
    while high - low > 1:  # a[:low] == b[:low] and a[:high] != b[:high]
        middle = (low + high) // 2
        low, high = (middle, high) if a[low:middle] == b[low:middle] else (low, middle)
    return low


def caches_of(graph: GraphOp, calls: Sequence[Call]) -> dict[str, str]:
    """Node -> the cache of its calls: nodes of one model in the same number formats may share one.

    `graph` has nested agents inlined. InputError for calls of nodes that are no language models of it.
    """
    nodes = {op.sym_name.data: op for op in graph.nodes if isinstance(op, LLMCallOp)}
    unknown = [node for node in dict.fromkeys(call.node for call in calls) if node not in nodes]
    if unknown:
        known = f"its language models are {', '.join(nodes)}" if nodes else "it has none"
        faults = (
            Diagnostic(
                "unknown-node", f"`{node}` is no language model of the graph", help=did_you_mean(node, nodes) or known
            )
            for node in unknown
        )
        raise InputError(faults)
    formats = ("model", "models", "adapter", "precision", "kv_precision")
    return {name: " ".join(str(op.attributes.get(key)) for key in formats) for name, op in nodes.items()}
