"""The shape of plan.json of a batch, as a JSON schema."""

from __future__ import annotations

from .schema import COUNT, INPUTS, NUMBER, NUMBER_OR_NULL, OBJECT, SHARE, TEXT, TEXTS, Schema

_POOL: Schema = {
    "type": "object",
    "properties": {
        "id": TEXT,
        "device": TEXT,
        "replicas": COUNT,
        "devices_per_replica": COUNT,
        "devices": COUNT,
        "parallel": {"type": "object", "properties": {"tp": COUNT}, "required": ["tp"]},
        "phases": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"max_batch": {"type": "object", "additionalProperties": COUNT}},
                "required": ["max_batch"],
            },
        },
    },
    "required": ["id", "device", "replicas", "devices_per_replica", "devices", "parallel", "phases"],
}
_PLACEMENT: Schema = {
    "type": "object",
    "properties": {
        "piece": {"type": "string", "pattern": r"\.run$"},
        "pool": TEXT,
        "phase": COUNT,
        "share": SHARE,
        "continued": SHARE,
    },
    "required": ["piece", "pool", "phase", "share", "continued"],
}
_BATCH: Schema = {
    "type": "object",
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 1_000_000_000},
        "deadline_s": NUMBER_OR_NULL,
        "makespan_s": NUMBER,
        "phases_s": {"type": "array", "items": NUMBER},
        "drain_s": NUMBER,
        "bound_s": NUMBER,
        "simulated_s": NUMBER_OR_NULL,
    },
    "required": ["size", "deadline_s", "makespan_s", "phases_s", "drain_s", "bound_s", "simulated_s"],
}
_OBJECTIVE: Schema = {
    "type": "object",
    "properties": {
        "name": {"enum": ["cost", "latency"]},
        "value": NUMBER,
        "unit": TEXT,
        "bound": NUMBER,
        "gap": NUMBER,
    },
    "required": ["name", "value", "unit", "bound", "gap"],
}
_COST: Schema = {
    "type": "object",
    "properties": {
        "usd": NUMBER,
        "usd_per_request": NUMBER,
        "usd_per_1k_requests": NUMBER,
        "usd_per_million_output_tokens": NUMBER_OR_NULL,
        "parts": {
            "type": "object",
            "properties": {"workers": NUMBER, "hosts": NUMBER, "calls": NUMBER},
            "required": ["workers", "hosts", "calls"],
        },
    },
    "required": ["usd", "usd_per_request", "usd_per_1k_requests", "usd_per_million_output_tokens", "parts"],
}
BATCH_PLAN: Schema = {
    "type": "object",
    "properties": {
        "format": {"const": 1},
        "dovetail": TEXT,
        "status": {"enum": ["optimal", "feasible"]},
        "inputs": INPUTS,
        "objective": _OBJECTIVE,
        "batch": _BATCH,
        "cost": _COST,
        "pools": {"type": "array", "items": _POOL},
        "placements": {"type": "array", "items": _PLACEMENT},
        "fleet": {"type": "object", "additionalProperties": OBJECT},
        "warnings": TEXTS,
        "quality": {"type": "object", "additionalProperties": SHARE},
    },
    "required": [
        "format",
        "dovetail",
        "status",
        "inputs",
        "objective",
        "batch",
        "cost",
        "pools",
        "placements",
        "fleet",
    ],
}
