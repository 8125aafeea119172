"""The shape of plan.json: one JSON schema, and a check against the part of JSON Schema that it uses."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

LARGEST = 1e30
"""No figure in base units comes near this."""
MOST = 10_000_000
"""No count comes near this."""
NUMBER: Schema = {"type": "number", "minimum": 0, "maximum": LARGEST}
NUMBER_OR_NULL: Schema = {**NUMBER, "type": ["number", "null"]}
END: Schema = {"enum": ["low", "high"]}
WHOLE: Schema = {"type": "integer", "minimum": 0, "maximum": MOST}
COUNT: Schema = {**WHOLE, "minimum": 1}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
TEXT: Schema = {"type": "string", "minLength": 1}
TEXTS: Schema = {"type": "array", "items": {"type": "string"}}
OBJECT: Schema = {"type": "object"}
PIECE: Schema = {"type": "string", "pattern": r"^([a-z][a-z0-9-]{0,39}/(\d+/)?)*[a-z][a-z0-9-]{0,39}\.[a-z]+$"}
SHA256: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
STATUSES = ("optimal", "feasible", "infeasible", "unknown")
OBJECTIVES = ("cost", "latency", "energy", "carbon", "throughput", "tokens_per_usd")
PART_NAMES = ("capex", "interest", "rent", "energy", "calls", "transfer")
QUALITY_MARKS = ("measured", "fitted", "data_sheet", "guess")


def _record(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    properties = {**required, **(optional or {})}
    return {"type": "object", "properties": properties, "required": list(required)}


def _map_of(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def _list_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}


DEGREES = _record(dict.fromkeys(("tp", "pp", "ep", "dp"), COUNT))
PREVIOUS = _record(
    {
        "over_s": {**NUMBER, "exclusiveMinimum": 0},
        "usd_per_request": NUMBER,
        "pools": _list_of(
            _record(
                {
                    "device": TEXT,
                    "replicas": WHOLE,
                    "devices_per_replica": COUNT,
                    "parallel": DEGREES,
                    "holds": _list_of(_record({"model": {"type": "string"}, "role": TEXT})),
                }
            )
        ),
    },
    {"lost": _map_of(WHOLE)},
)
"""What ran when the plan was made: replicas that were lost are not in `pools`."""
SPREAD = _record({"mean": NUMBER, "p50": NUMBER, "p95": NUMBER, "p99": NUMBER})
INPUTS = _record(
    {
        "graph": OBJECT,
        "fleet": OBJECT,
        "catalogue": _record({"devices": OBJECT, "models": OBJECT}),
        "sha256": _record({"graph": SHA256, "fleet": SHA256, "catalogue": SHA256}),
    },
    {"previous": PREVIOUS},
)
OBJECTIVE = _record(
    {
        "name": {"enum": list(OBJECTIVES)},
        "value": {"type": ["number", "null"], "minimum": -LARGEST, "maximum": LARGEST},
        "unit": TEXT,
        "bound": {"type": ["number", "null"], "minimum": -LARGEST, "maximum": LARGEST},
        "gap": NUMBER_OR_NULL,
    }
)
COST = _record(
    {
        "usd_per_hour": NUMBER_OR_NULL,
        "usd_per_request": NUMBER_OR_NULL,
        "usd_per_1k_requests": NUMBER_OR_NULL,
        "usd_per_year": NUMBER_OR_NULL,
        "usd_per_million_output_tokens": NUMBER_OR_NULL,
        "parts": _record(dict.fromkeys(PART_NAMES, NUMBER)),
    }
)
LATENCY = _record({"ttft": _map_of(NUMBER), "tbt": _map_of(NUMBER), "first_output": SPREAD, "end_to_end": SPREAD})
WAIT: Schema = {**_record({"probability": SHARE, "mean_s": NUMBER}), "type": ["object", "null"]}
"""Share of visits that wait for a slot, and how long those wait on average [s]."""
SPLIT = _record({"prefill": SHARE, "decode": SHARE})
"""Parts of each device that the phases have to themselves; decode then has a queue of its own, `decode_wait`."""
SCALE = _record({"min_replicas": WHOLE, "keep_alive_s": NUMBER, "start_s": NUMBER, "cold": SHARE, "billed": SHARE})
"""A pool that goes down when it is idle: after how long, the start, and the shares of visits that wait and of time."""
WAITS = _list_of(_record({"priority": WHOLE, "probability": SHARE, "mean_s": NUMBER}))
"""The same by priority: a law that the waits of its visits do not exceed."""
TIER = _record({"name": TEXT, "weights": SHARE, "cache": SHARE, "bytes_per_device": NUMBER})
"""Memory beyond the devices' own: shares of the weights and of every cache that lie there, and their bytes."""
POOL = _record(
    {
        "id": TEXT,
        "device": TEXT,
        "replicas": WHOLE,
        "devices_per_replica": COUNT,
        "devices": WHOLE,
        "parallel": DEGREES,
        "max_batch": COUNT,
        "memory_bytes_per_device": NUMBER,
        "utilisation": NUMBER_OR_NULL,
    },
    {
        "wait": WAIT,
        "waits": WAITS,
        "availability": SHARE,
        "spare": WHOLE,
        "zones": _map_of(WHOLE),
        "split": SPLIT,
        "tier": TIER,
        "decode_wait": WAIT,
        "scale": SCALE,
        "model": TEXT,
        "adapters": COUNT,
    },
)
"""`model` is that which the pool serves, where nodes have several to choose from; `adapters` share its weights."""
MODEL_QUALITY = _record({"nodes": _map_of(NUMBER), "mean": NUMBER})
"""Quality of each node's model as the user states it, and the mean over visits."""
RACK = _record({"limit_w": NUMBER, "mean_w": NUMBER, "exceeded": SHARE})
"""Power limit of a rack, what its devices draw on average, and the share of the time that they draw more."""
_CHANGED = dict.fromkeys(("kept", "started", "stopped"), WHOLE) | dict.fromkeys(("bytes", "seconds", "usd"), NUMBER)
MIGRATION = _record(
    {
        **_CHANGED,
        **dict.fromkeys(("requests_late", "usd_per_hour", "over_s"), NUMBER),
        "replicas": _list_of(
            _record(
                {
                    "device": TEXT,
                    "model": {"type": "string"},
                    "role": TEXT,
                    "parallel": DEGREES,
                    "devices_per_replica": COUNT,
                }
                | _CHANGED
            )
        ),
    }
)
"""What becomes of the replicas that ran before, by kind; `seconds` is the longest start."""
PLACEMENT = _record(
    {
        "piece": PIECE,
        "pool": TEXT,
        "device": TEXT,
        "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "when": {"type": ["string", "null"]},
        "latency_s": NUMBER,
    }
)
SPLITS = _map_of({**_record({}, {"parts": COUNT, "prompt_tokens": _list_of(NUMBER)}), "type": ["object", "null"]})
WHEN: Schema = {"type": "object", "additionalProperties": TEXT}  # of each node whose traffic is split
TRANSFER = _record({"from": PIECE, "to": PIECE, "bytes": NUMBER, "latency_s": NUMBER}, {"when": WHEN})
SOLVE: Mapping[str, Schema] = {
    "seconds": NUMBER,
    **dict.fromkeys(("pieces", "variables", "constraints", "cuts"), WHOLE),
    "solver": TEXT,
}
OFF_CASE = _record(
    {
        "factor": NUMBER,
        "same_plan": NUMBER_OR_NULL,
        "broken": TEXTS,
        "best": NUMBER_OR_NULL,
        "regret": NUMBER_OR_NULL,
        "changed": {"type": "boolean"},
        "choice": _list_of(_record({"device": TEXT, "devices": WHOLE, "tp": COUNT, "pieces": _list_of(PIECE)})),
    }
)
"""One input times `factor`: what the plan comes to as it is, what it then breaks, and the best plan."""
SENSITIVITY = _record(
    {
        "off": SHARE,
        "unit": TEXT,
        "value": NUMBER_OR_NULL,
        "inputs": WHOLE,
        "studied": WHOLE,
        "rows": _list_of(
            _record(
                {
                    "input": TEXT,
                    "quality": {"enum": list(QUALITY_MARKS)},
                    "source": TEXT,
                    "lower": OFF_CASE,
                    "higher": OFF_CASE,
                }
            )
        ),
        "guesses": _list_of(_record({"input": TEXT, "source": TEXT, "matters": {"type": ["boolean", "null"]}})),
    }
)
_POOL_TAKEN = _record(
    {"device": TEXT, "devices": WHOLE, "tp": COUNT, "batch": COUNT, "pieces": _list_of(PIECE)}, {"model": TEXT}
)
EXPLANATION = _record(
    {
        "value": NUMBER,
        "unit": TEXT,
        "binding": _list_of(_record({"name": TEXT, "step": TEXT, "saves": NUMBER, "without": NUMBER})),
        "next_best": _list_of(_record({"extra": NUMBER, "pools": _list_of(_POOL_TAKEN)})),
        "unused": _list_of(
            _record({"device": TEXT, "extra": NUMBER_OR_NULL, "against": TEXTS, "pieces": _list_of(PIECE)})
        ),
        "missing": TEXTS,
    }
)
"""What binds and what moving it saves, the next-best plan, devices not used; `missing`: parts not found in the time."""
FRONTIER = _record({"objectives": TEXTS, "under": _map_of(NUMBER)})
"""Objectives of the frontier that a plan is a point of; no plan with the one `under` this is better in the other."""
MEMBER = _record(
    {
        "share": SHARE,
        "rate_per_s": NUMBER_OR_NULL,
        "usd_per_request": NUMBER,
        "latency_s": _record({"first_output": SPREAD, "end_to_end": SPREAD}),
    }
)
"""One of several graphs that share the fleet: its share of the requests, what one of its own costs and takes."""
RANGES = _list_of(
    _record({"path": TEXT, "low": NUMBER, "high": NUMBER, "nominal": NUMBER, "unit": {"type": "string"}, "worst": END})
)
"""Figures of the inputs that are ranges; a plan's figures stand at the worst end of each."""
ROBUST = _record(
    {
        "unit": TEXT,
        "worst": NUMBER,
        "nominal": NUMBER_OR_NULL,
        "nominal_best": NUMBER_OR_NULL,
        "price_of_robustness": NUMBER_OR_NULL,
        "replicas_following": NUMBER_OR_NULL,
        "corners_checked": COUNT,
        "all_corners": {"type": "boolean"},
        "broken_by_others": TEXTS,
        "nominal_plan": {
            **_record(
                {
                    "holds": {"type": "boolean"},
                    "broken": TEXTS,
                    "at": _map_of(NUMBER),
                    "pools": _list_of(_record({"device": TEXT, "replicas": WHOLE, "pieces": _list_of(PIECE)})),
                }
            ),
            "type": ["object", "null"],
        },
    }
)
"""What a plan that holds over all ranges comes to at worst and in their middle, beside the best plan for the middle."""
PLAN = _record(
    {
        "format": {"const": 1},
        "dovetail": TEXT,
        "status": {"enum": list(STATUSES)},
        "inputs": INPUTS,
        "objective": OBJECTIVE,
        "cost": COST,
        "latency_s": LATENCY,
        "energy_j_per_request": NUMBER_OR_NULL,
        "gco2_per_request": NUMBER_OR_NULL,
        "pools": _list_of(POOL),
        "placements": _list_of(PLACEMENT),
        "transfers": _list_of(TRANSFER),
        "fleet": _map_of(_record({"devices": WHOLE, "usd_per_year": NUMBER_OR_NULL})),
        "binding": TEXTS,
        "conflict": TEXTS,
        "warnings": TEXTS,
        "quality": _record(dict.fromkeys(QUALITY_MARKS, SHARE)),
        "solve": _record({}, SOLVE),
    },
    {
        "sensitivity": SENSITIVITY,
        "racks": _map_of(RACK),
        "migration": MIGRATION,
        "model_quality": MODEL_QUALITY,
        "frontier": FRONTIER,
        "explanation": EXPLANATION,
        "graphs": _map_of(MEMBER),
        "ranges": RANGES,
        "robust": ROBUST,
        "splits": SPLITS,  # of each node whose traffic may be split, how it is; null: not at all
    },
)
UNSOLVED = _record(
    {name: PLAN["properties"][name] for name in ("format", "dovetail", "inputs", "conflict")}, {"leave_out": TEXTS}
)
"""A plan without a solution: what was asked, and what stands against it."""


def plan_schema() -> dict[str, Any]:
    """The JSON schema (2020-12) of plan.json."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Dovetail plan, format 1",
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"enum": list(STATUSES)}},
        "if": {"properties": {"status": {"enum": ["infeasible", "unknown"]}}},
        "then": dict(UNSOLVED),
        "else": dict(PLAN),
    }


def shape_faults(plan: object, solved: Schema | None = None) -> Iterator[str]:
    """Where `plan` departs from `plan_schema()` or `solved`, and every number that is not finite, a sentence each."""
    if not isinstance(plan, dict):
        yield "the plan is not an object"
        return
    unsolved = plan.get("status") in ("infeasible", "unknown")
    yield from _departures(plan, UNSOLVED if unsolved else solved or PLAN, "plan")
    yield from _not_finite(plan, "plan")


def _departures(value: object, schema: Schema, where: str) -> Iterator[str]:
    if "const" in schema and value != schema["const"]:
        yield f"{where} is {value!r}, and not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where} is {value!r}, and none of {', '.join(schema['enum'])}"
    if "type" in schema and not _has_type(value, schema["type"]):
        yield f"{where} is {type(value).__name__}, and not {_words(schema['type'])}"
        return
    if isinstance(value, dict):
        yield from _object_departures(value, schema, where)
    elif isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _departures(item, schema["items"], f"{where}[{index}]")
    elif isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            yield f"{where} is empty"
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{where} is {value!r}, which does not have the form {schema['pattern']}"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _range_departures(value, schema, where)


def _object_departures(value: dict[str, object], schema: Schema, where: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{where}.{name} is missing"
    for name, item in value.items():
        inner = properties.get(name, schema.get("additionalProperties"))
        if inner is not None:
            yield from _departures(item, inner, f"{where}.{name}")


def _range_departures(value: float, schema: Schema, where: str) -> Iterator[str]:
    if value < schema.get("minimum", -math.inf):
        yield f"{where} is {_figure(value)}, under {schema['minimum']:g}"
    if value > schema.get("maximum", math.inf):
        yield f"{where} is {_figure(value)}, over {schema['maximum']:g}"
    if value <= schema.get("exclusiveMinimum", -math.inf):
        yield f"{where} is {_figure(value)}, not over {schema['exclusiveMinimum']:g}"


def _figure(value: float) -> str:
    """The value in few digits; whole numbers may be beyond what a float can hold."""
    return f"{value:g}" if abs(value) < 1e300 else "a number of more than 300 digits"


def _not_finite(value: object, where: str) -> Iterator[str]:
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{where} is {value}, which is no finite number"
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _not_finite(item, f"{where}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _not_finite(item, f"{where}[{index}]")


def _has_type(value: object, names: str | list[str]) -> bool:
    return any(_is_a(value, name) for name in ([names] if isinstance(names, str) else names))


def _is_a(value: object, name: str) -> bool:
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if name == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    kinds: dict[str, type] = {"object": dict, "array": list, "string": str, "null": type(None), "boolean": bool}
    return isinstance(value, kinds[name])


def _words(names: str | list[str]) -> str:
    return names if isinstance(names, str) else " or ".join(names)
