"""What may stand in graph.yaml: one table, which drives reading and the JSON Schema; `fleet_schema.py` is its like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..source import Path as DocumentPath
from ..split import MOST_CLASSES
from .distributions import Dist
from .fields import (
    Either,
    Flag,
    Key,
    Later,
    ListOf,
    MapOf,
    Number,
    Quantity,
    Reading,
    Record,
    Tagged,
    Text,
    Unless,
    name_of,
    shown,
)
from .fleet_schema import DEVICE_NAME, DEVICE_NAME_FORM, FLEET, PRECISIONS
from .nested import MOST_COPIES, Nested
from .ranged import Ranged

NODE_NAME = "[a-z][a-z0-9-]{0,39}"
NODE_NAME_FORM = "a lower-case letter, then up to 39 lower-case letters, digits or `-`"

_NODE = Text(pattern=NODE_NAME, form=NODE_NAME_FORM)
_DEVICE = Text(pattern=DEVICE_NAME, form=DEVICE_NAME_FORM)
_TOKENS = Number(positive=True)
_COUNT = Number(1, integer=True)
_SHARE = Quantity("fraction", maximum=1)
_TIME = Quantity("time", positive=True)
_SIZE = Quantity("bytes")
_USD = Ranged(Number(), is_price=True)
_PRIORITY = Number(0, 1000, integer=True)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_not_one(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 and value != 1


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


@dataclass(frozen=True)
class Edge:
    """`a -> b`, or a record with more to say."""

    record: Record

    def read(self, value: Any, path: DocumentPath, to: Reading) -> dict[str, Any] | None:
        if not isinstance(value, str):
            return self.record.read(value, path, to)
        ends = [end.strip() for end in value.split("->")]
        if len(ends) != 2 or not all(ends):
            help = "write one edge for each arrow" if len(ends) > 2 else "write `a -> b` or `{from: a, to: b}`"
            to.fault(path, "edge", f"{name_of(path)}: {shown(value)} is no edge", help)
            return None
        return {"from": ends[0], "to": ends[1]}

    def schema(self) -> dict[str, Any]:
        text = {"type": "string", "pattern": rf"^\s*{NODE_NAME}\s*->\s*{NODE_NAME}\s*$"}
        return {"anyOf": [text, self.record.schema()]}


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


_PROFILE_PART = Record(
    {
        "latency": Key(_TIME, "time of one whole visit", required=True),
        "tbt": Key(_TIME, "time between tokens"),
        "usd_per_token": Key(_USD, "price of a token of this part"),
        "usd_per_call": Key(_USD, "price of a visit"),
    }
)
_PROFILE = MapOf(
    Record({part: Key(_PROFILE_PART, f"figures of the {part} part") for part in ("prefill", "decode", "run")}),
    DEVICE_NAME,
    DEVICE_NAME_FORM,
)
_KV_TRANSFER = ListOf(
    Record(
        {
            "from": Key(_DEVICE, "device of the prefill", required=True),
            "to": Key(_DEVICE, "device of the decode", required=True),
            "latency": Key(Quantity("time"), "time that the KV cache takes to move", required=True),
            "usd_per_prompt_token": Key(_USD, "price of moving it"),
        }
    )
)
_PERCENTILE = Number(1, maximum=99.999)
_QUALITY = Number(positive=True)
_SLO = Record(
    {
        "ttft": Key(_TIME, "bound on the time to first token of each llm visit"),
        "tbt": Key(_TIME, "bound on the mean time between tokens of each llm visit"),
        "first_output": Key(_TIME, "bound on request arrival to the first output of a sink"),
        "end_to_end": Key(_TIME, "bound on request arrival to the last output"),
        "quality": Key(_QUALITY, "least mean quality of the models, over all visits to nodes that state qualities"),
        "percentile": Key(_PERCENTILE, "the percentile of requests that the bounds hold for, 95 for p95"),
    }
)
_NODE_SLO = Record(
    {
        "ttft": Key(_TIME, "bound on the time to first token of each visit"),
        "tbt": Key(_TIME, "bound on the mean time between tokens of each visit"),
        "first_output": Key(Later("a bound on one node", "bound it under the graph's `slo`"), "not yet"),
        "end_to_end": Key(Later("a bound on one node", "bound it under the graph's `slo`"), "not yet"),
        "quality": Key(_QUALITY, "least quality of the node's model"),
        "percentile": Key(_PERCENTILE, "the percentile of requests that the bounds hold for"),
    }
)
_PLACE = Record(
    {
        "on": Key(ListOf(_DEVICE, or_one=True, shortest=1), "devices of the fleet that it may use"),
        "with": Key(_NODE, "node that it shares a device pool with"),
        "apart": Key(_NODE, "node that it shares no device pool with"),
        "region": Key(_DEVICE, "region of the fleet's devices to stay in"),
    }
)
_PARALLEL = Record(
    {
        "tp": Key(_COUNT, "tensor-parallel degree"),
        "pp": Key(_COUNT, "pipeline-parallel degree"),
        "ep": Key(_COUNT, "expert-parallel degree: 1, or all devices of a stage"),
        "dp": Key(_COUNT, "data-parallel degree of the attention, of mixtures of experts alone"),
    }
)
ADAPTED = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""Projections that an adapter may update, by the names of Hugging Face's checkpoints."""
_QUALITIES = MapOf(Number(), ".+", "a model of the node")
_ADAPTER = Record(
    {
        "name": Key(_NODE, "nodes of one model that name the same adapter share it; the node's name unless said"),
        "rank": Key(Number(1, 4096, integer=True), "rank of the update to each adapted matrix", required=True),
        "targets": Key(ListOf(Text(ADAPTED), shortest=1), "projections that it adapts; all unless said"),
        "path": Key(Text(), "where the engine loads it from: a folder, or a Hugging Face id"),
    }
)
_KIND = {"kind": Key(Text(), "what the node is", required=True)}
_STREAM = {"stream": Key(Flag(), "its successors start at its first output")}
_PARTS = Key(Number(2, MOST_CLASSES, integer=True), "parts of the traffic, each as large as the others")
_SPLIT = Record({"parts": _PARTS})
_THRESHOLDS = Either(_is_text, Text(("auto",)), ListOf(_TOKENS, or_one=True, shortest=1))
_SPLIT_BY_LENGTH = Record(
    {"parts": _PARTS, "prompt_tokens": Key(_THRESHOLDS, "lengths of the first prompt at which it is split, or `auto`")}
)
_COMMON = {
    **_KIND,
    "place": Key(_PLACE, "where it may run"),
    "split": Key(_SPLIT, "classes of visits that may go to different pools"),
    "slo": Key(_NODE_SLO, "latency bounds of this node alone"),
    **_STREAM,
    "profile": Key(_PROFILE, "measured figures of this node, by device"),
    "call": Key(Text(), "name of the exact call: nodes of one call do the same with the same predecessors' outputs"),
    "priority": Key(_PRIORITY, "whose visits a shared pool serves first, in place of the graph's"),
    "limit": Key(Later("a rate limit", "a tool's `concurrency` is supported"), "most requests per second"),
    "failure": Key(Later("failures of a node that is no tool"), "share of visits that fail"),
}
_NO_PARALLEL = {"parallel": Key(Later("parallelism of a node that is no llm"), "how it is split over devices")}
_DETERMINISTIC = {"deterministic": Key(Flag(), "equal inputs get equal outputs")}
_KINDS: dict[str, dict[str, Key]] = {
    "llm": {
        "model": Key(
            Either(_is_list, ListOf(Text(), shortest=1), Text()),
            "catalogue id or path to a config.json, or a list of alternatives, of which the plan takes one",
        ),
        "precision": Key(Text(PRECISIONS), "number format of the weights"),
        "kv_precision": Key(Text(PRECISIONS), "number format of the KV cache, 16 bit unless said"),
        "prompt_tokens": Key(Ranged(Dist(None, positive=True)), "tokens read on the first visit", required=True),
        "output_tokens": Key(Ranged(Dist(None, positive=True)), "tokens written on each visit", required=True),
        "prompt_growth": Key(Ranged(Number()), "tokens that the prompt grows by on each revisit"),
        "cached_prefix_tokens": Key(
            Ranged(Number(), worst="low"), "tokens of the prompt that are in the KV cache from the start"
        ),
        "continues": Key(_NODE, "llm node whose prompt and output start this node's prompt: of use in a batch"),
        "temperature": Key(Number(), "of sampling; at 0 equal prompts get equal answers"),
        "quality": Key(_QUALITIES, "quality of the answers of each model, on a scale of the user's: larger is better"),
        "adapter": Key(_ADAPTER, "low-rank adapter (LoRA) on the model's weights"),
        "parallel": Key(_PARALLEL, "how one replica is split over devices"),
        "split": Key(_SPLIT_BY_LENGTH, "classes of visits that may go to different pools"),
    },
    "model": _NO_PARALLEL
    | {
        "model": Key(Text(), "catalogue id"),
        "graph": Key(Text(), "path of an .onnx file or of a Hugging Face config.json"),
        "precision": Key(Text(), "number format of the weights; of a `graph` as in --precision: bf16,weights=int4"),
        "audio": Key(_TIME, "length of the audio of one visit"),
        "characters": Key(_TOKENS, "characters of one visit"),
        "tokens": Key(_TOKENS, "tokens of one visit"),
        "batch": Key(_COUNT, "inputs of one visit"),
        "image": Key(_COUNT, "side of the square image that one visit makes [pixels]"),
        "steps": Key(_COUNT, "denoising steps of one visit, where not the model's usual ones"),
    },
    "tool": _NO_PARALLEL
    | _DETERMINISTIC
    | {
        "latency": Key(Dist("time"), "time of one call", required=True),
        "cpus": Key(Number(), "cores that a call keeps busy"),
        "memory": Key(
            Either(
                _is_mapping,
                Record({"mean": Key(_SIZE, "mean", required=True), "peak": Key(_SIZE, "peak", required=True)}),
                _SIZE,
            ),
            "memory of one call",
        ),
        "usd_per_call": Key(_USD, "price of one call"),
        "concurrency": Key(_COUNT, "calls in flight at most"),
        "timeout": Key(_TIME, "time after which a call is given up"),
        "retries": Key(Number(0, 100, integer=True), "tries after the first, at most 100"),
        "failure": Key(_SHARE, "share of calls that fail"),
        "mcp": Key(Text(), "MCP server that answers the call"),
    },
    "lookup": _NO_PARALLEL
    | _DETERMINISTIC
    | {
        "vectors": Key(_COUNT, "vectors in the index", required=True),
        "dimensions": Key(_COUNT, "dimensions of a vector", required=True),
        "top_k": Key(_COUNT, "results of a lookup", required=True),
        "index": Key(Text(("flat", "hnsw", "ivf")), "kind of index"),
    },
    "compute": _NO_PARALLEL
    | _DETERMINISTIC
    | {
        "cpu": Key(Dist("time"), "time on one core", required=True),
        "bytes_in": Key(_SIZE, "data read"),
        "bytes_out": Key(_SIZE, "data written"),
    },
    "store": _NO_PARALLEL | {"bytes": Key(_SIZE, "data written on a visit", required=True)},
    "router": _NO_PARALLEL,
    "cache": _NO_PARALLEL
    | {
        "hit_ratio": Key(_SHARE, "share of lookups that hit", required=True),
        "latency": Key(Dist("time"), "time of a lookup", required=True),
    },
}
_OF_INSIDE = Later("a wish for all nodes of a nested agent", "say it of the nodes inside")
_AGENT = Record(
    {
        **_KIND,
        **_STREAM,
        "graph": Key(Nested(), "path of the graph.yaml that it stands for", required=True),
        **{key: Key(_OF_INSIDE, "not of a nested agent") for key in _COMMON if key not in (*_KIND, *_STREAM)},
    }
)
_SOME = "a join of some of the copies"
_MAP = Record(
    {
        **_AGENT.keys,
        "over": Key(
            Unless(Number(1, MOST_COPIES, integer=True), _is_mapping, "a distribution"), "copies", required=True
        ),
        "join": Key(Unless(Text(("all",), later=("any",)), _is_count, _SOME), "which copies are waited for"),
    }
)
_NODES = Tagged(
    "kind", {kind: Record(_COMMON | keys) for kind, keys in _KINDS.items()} | {"agent": _AGENT, "map": _MAP}
)
_EDGE = Record(
    {
        "from": Key(Text(), "node it leaves", required=True),
        "to": Key(Text(), "node it enters", required=True),
        "probability": Key(Quantity("fraction", positive=True, maximum=1), "share of visits that take it"),
        "max_visits": Key(_COUNT, "how often one request may take it"),
        "stream": Key(Flag(), "the successor starts at the first output"),
        "bytes": Key(_SIZE, "data that moves along it on a visit"),
    }
)
_POISSON = Unless(Number(), _is_not_one, "arrivals other than Poisson", "plan with `arrivals: poisson`")
_RATE = Quantity("rate", minimum=1e-9, maximum=1e9)
_WORKLOAD = Record(
    {
        "rate": Key(
            Ranged(_RATE),
            "requests per second",
        ),
        "arrivals": Key(
            Either(
                _is_text,
                Text(("poisson",)),
                Record({"cv": Key(_POISSON, "coefficient of variation of the gaps, 1 is Poisson", required=True)}),
            ),
            "how requests arrive",
        ),
        "hourly": Key(Later("rates by the hour", "give the `rate` of the busiest hour"), "rate in each hour"),
        "trace": Key(Later("a trace", "give its `rate`"), "requests.csv"),
        "batch": Key(
            Record(
                {
                    "size": Key(Number(1, 1e9, integer=True), "instances, all there from the start", required=True),
                    "deadline": Key(_TIME, "time from the start until the last has ended"),
                }
            ),
            "many instances at once, in place of a rate",
        ),
    }
)
GRAPH = Record(
    {
        "version": Key(Number(integer=True), "the version of this format, which is 1", required=True),
        "name": Key(_NODE, "name of the workflow"),
        "nodes": Key(MapOf(_NODES, NODE_NAME, NODE_NAME_FORM), "the steps of the workflow", required=True),
        "edges": Key(ListOf(Edge(_EDGE)), "what follows what"),
        "workload": Key(_WORKLOAD, "how many requests come"),
        "slo": Key(_SLO, "latency bounds"),
        "priority": Key(_PRIORITY, "whose visits a shared pool serves first: those of the largest; 0 unless said"),
        "objective": Key(
            Text(("cost", "latency", "energy", "carbon", "throughput", "tokens_per_usd")), "what is to be best"
        ),
        "profile": Key(_PROFILE, "measured figures, by device, that replace the cost model"),
        "kv_transfer": Key(_KV_TRANSFER, "measured transfers between profiled devices; others are forbidden"),
        "fleet": Key(Either(_is_text, Text(), FLEET), "the fleet: a file beside this one, or written here"),
    }
)


def json_schema(which: Literal["graph", "fleet"]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of graph.yaml or fleet.yaml."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"Dovetail {which}.yaml"}
    return head | (GRAPH if which == "graph" else FLEET).schema()
