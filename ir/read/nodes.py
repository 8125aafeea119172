"""From a node as it was read (plain values in base units) to its op in the agent dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, FloatAttr, IntegerAttr, StringAttr, UnitAttr, f64, i64
from xdsl.ir import Attribute, Block, Region

from ..agent import (
    AgentCallOp,
    CacheOp,
    ComputeOp,
    DistAttr,
    GraphOp,
    LLMCallOp,
    LookupOp,
    MapOp,
    ModelCallOp,
    NodeOp,
    RouterOp,
    StoreOp,
    ToolCallOp,
)
from ..distribution import Distribution
from ..split import auto_thresholds
from .alternatives import names_of

Attributes = dict[str, Attribute]
Plain = Mapping[str, Any]
SLO_KEYS = ("ttft", "tbt", "first_output", "end_to_end")


def node_op(name: str, node: Plain) -> NodeOp:
    """The op of the node called `name`, whose values are right by the schema and the rules of `graph.py`."""
    op_class, attributes_of = _KINDS[node["kind"]]
    attributes: Attributes = {"sym_name": StringAttr(name), **attributes_of(name, node)}
    attributes |= _texts(node, "call")
    if node.get("deterministic", False):
        attributes["deterministic"] = UnitAttr()
    if "place" in node:
        attributes["place"] = place_attr(node["place"])
    if "slo" in node:
        attributes["slo"] = slo_attr(node["slo"])
    if "priority" in node:
        attributes["priority"] = integer(node["priority"])
    if "split" in node:
        attributes["split"] = split_attr(node)
    if "profile" in node:
        attributes["profile"] = profile_attr(node["profile"])
    return op_class(attributes=attributes)


def nested_op(name: str, inner: GraphOp, over: int | None) -> AgentCallOp | MapOp:
    """The nested agent called `name`, whose graph is `inner`; a map of `over` copies where that is given."""
    attributes, regions = {"sym_name": StringAttr(name)}, [Region(Block([inner]))]
    if over is None:
        return AgentCallOp(attributes=attributes, regions=regions)
    return MapOp(attributes={**attributes, "over": integer(over)}, regions=regions)


def number(value: float) -> FloatAttr:
    """An f64."""
    return FloatAttr(float(value), f64)


def integer(value: int) -> IntegerAttr:
    """An i64."""
    return IntegerAttr(value, i64)


def slo_attr(slo: Plain) -> DictionaryAttr:
    """`ttft_s`, `tbt_s`, `first_output_s`, `end_to_end_s`, `percentile` and `quality`, where given."""
    bounds: Attributes = {f"{key}_s": number(slo[key]) for key in SLO_KEYS if key in slo}
    bounds |= {key: number(slo[key]) for key in ("percentile", "quality") if key in slo}
    return DictionaryAttr(bounds)


def place_attr(place: Plain) -> DictionaryAttr:
    """`on`: device names; `with`, `apart`: a node's name."""
    wishes: Attributes = {key: StringAttr(place[key]) for key in ("with", "apart", "region") if key in place}
    if "on" in place:
        wishes["on"] = ArrayAttr([StringAttr(device) for device in place["on"]])
    return DictionaryAttr(wishes)


def split_attr(node: Plain) -> DictionaryAttr:
    """`parts`, or `prompt_tokens`: thresholds, those of `auto` worked out."""
    if "parts" in node["split"]:
        return DictionaryAttr({"parts": integer(node["split"]["parts"])})
    thresholds = node["split"]["prompt_tokens"]
    if thresholds == "auto":
        thresholds = auto_thresholds(node["prompt_tokens"])
    return DictionaryAttr({"prompt_tokens": ArrayAttr([number(t) for t in thresholds])})


def profile_attr(profile: Plain) -> DictionaryAttr:
    """Device -> part -> measured figures, each f64."""
    units = {"latency": "latency_s", "tbt": "tbt_s", "usd_per_token": "usd_per_token", "usd_per_call": "usd_per_call"}
    return DictionaryAttr(
        {
            device: DictionaryAttr(
                {
                    part: DictionaryAttr({units[key]: number(value) for key, value in figures.items()})
                    for part, figures in parts.items()
                }
            )
            for device, parts in profile.items()
        }
    )


def kv_transfer_attr(rows: list[Plain]) -> ArrayAttr:
    """The measured transfers: from, to, latency_s, usd_per_prompt_token."""
    return ArrayAttr(
        DictionaryAttr(
            {
                "from": StringAttr(row["from"]),
                "to": StringAttr(row["to"]),
                "latency_s": number(row["latency"]),
                "usd_per_prompt_token": number(row.get("usd_per_prompt_token", 0.0)),
            }
        )
        for row in rows
    )


def _texts(node: Plain, *keys: str) -> Attributes:
    return {key: StringAttr(node[key]) for key in keys if key in node}


def _model_name(name: str, node: Plain) -> StringAttr:
    """The model; a node that profiles price needs none, and then shares its weights with no other node."""
    return StringAttr(names_of(node)[0] if "model" in node else f"profile:{name}")


def _alternatives(node: Plain) -> Attributes:
    """`models` where there are several, and their `qualities` where they are stated."""
    found: Attributes = {}
    if len(names_of(node)) > 1:
        found["models"] = ArrayAttr([StringAttr(name) for name in names_of(node)])
    if "quality" in node:
        found["qualities"] = DictionaryAttr({name: number(value) for name, value in node["quality"].items()})
    return found


def _adapter(name: str, node: Plain) -> Attributes:
    """The node's low-rank adapter; without a name of its own it is called as the node, and no other node has it."""
    if "adapter" not in node:
        return {}
    asked = node["adapter"]
    found: Attributes = {"name": StringAttr(asked.get("name", name)), "rank": integer(asked["rank"])}
    if "targets" in asked:
        found["targets"] = ArrayAttr([StringAttr(target) for target in asked["targets"]])
    return {"adapter": DictionaryAttr(found)}


def _llm(name: str, node: Plain) -> Attributes:
    parallel = node.get("parallel", {})
    return {
        "model": _model_name(name, node),
        **_alternatives(node),
        **_adapter(name, node),
        **_texts(node, "precision", "kv_precision", "continues"),
        "prompt_tokens": DistAttr.of(node["prompt_tokens"]),
        "output_tokens": DistAttr.of(node["output_tokens"]),
        "prompt_growth": number(node.get("prompt_growth", 0.0)),
        "cached_prefix_tokens": number(node.get("cached_prefix_tokens", 0.0)),
        **({"temperature": number(node["temperature"])} if "temperature" in node else {}),
        **{degree: integer(parallel[degree]) for degree in ("tp", "pp", "ep", "dp") if degree in parallel},
    }


def _model(name: str, node: Plain) -> Attributes:
    sizes = {"audio": "audio_s"} | {key: key for key in ("characters", "tokens", "batch", "steps")}
    named = _texts(node, "graph") or {"model": _model_name(name, node)}
    inputs = {sizes[key]: number(node[key]) for key in sizes if key in node}
    if "image" in node:
        inputs["pixels"] = number(node["image"] ** 2)
    return {**named, **_texts(node, "precision"), "inputs": DictionaryAttr(inputs)}


def _tool(name: str, node: Plain) -> Attributes:
    memory = node.get("memory", 0.0)
    mean, peak = (memory["mean"], memory["peak"]) if isinstance(memory, Mapping) else (memory, memory)
    attributes: Attributes = {
        "latency": DistAttr.of(node["latency"]),
        "cpus": number(node.get("cpus", 0.0)),
        "memory_mean_bytes": number(mean),
        "memory_peak_bytes": number(peak),
        "usd_per_call": number(node.get("usd_per_call", 0.0)),
        "failure": number(node.get("failure", 0.0)),
        **_texts(node, "mcp"),
        **{key: integer(node[key]) for key in ("concurrency", "retries") if key in node},
    }
    return attributes | ({"timeout_s": number(node["timeout"])} if "timeout" in node else {})


def _lookup(name: str, node: Plain) -> Attributes:
    sizes = {key: integer(node[key]) for key in ("vectors", "dimensions", "top_k")}
    return {**sizes, "index": StringAttr(node.get("index", "flat"))}


def _compute(name: str, node: Plain) -> Attributes:
    moved = {key: number(node.get(key, 0.0)) for key in ("bytes_in", "bytes_out")}
    cpu: Distribution = node["cpu"]
    return {"cpu_s": DistAttr.of(cpu), **moved}


def _store(name: str, node: Plain) -> Attributes:
    return {"bytes": number(node["bytes"])}


def _router(name: str, node: Plain) -> Attributes:
    return {}


def _cache(name: str, node: Plain) -> Attributes:
    return {"hit_ratio": number(node["hit_ratio"]), "latency": DistAttr.of(node["latency"])}


_KINDS: dict[str, tuple[type[NodeOp], Callable[[str, Plain], Attributes]]] = {
    "llm": (LLMCallOp, _llm),
    "model": (ModelCallOp, _model),
    "tool": (ToolCallOp, _tool),
    "lookup": (LookupOp, _lookup),
    "compute": (ComputeOp, _compute),
    "store": (StoreOp, _store),
    "router": (RouterOp, _router),
    "cache": (CacheOp, _cache),
}
"""Kind in the file -> op and what gives its attributes."""
