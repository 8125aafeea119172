"""A placement problem and its answers as plain data, and back: what plan.json holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .problem import Device, OpPlacementProblem, Piece, Pipeline, Route, Schedule, Tensor

Json = dict[str, Any]


def problem_record(p: OpPlacementProblem) -> Json:
    """`p` as plain data, which `read_problem_record` reads back."""
    return {
        "pieces": [
            {"name": q.name, "times_ns": list(q.times_ns), "weight_bytes": q.weight_bytes, "work_bytes": q.work_bytes}
            for q in p.pieces
        ],
        "tensors": [
            {"name": t.name, "producer": t.producer, "users": list(t.users), "bytes": t.bytes} for t in p.tensors
        ],
        "devices": [{"name": d.name, "memory_bytes": d.memory_bytes} for d in p.devices],
        "routes": [
            {"from": a, "to": b, "bytes_per_s": r.bytes_per_s, "latency_ns": r.latency_ns, "links": list(r.links)}
            for (a, b), r in sorted(p.routes.items())
        ],
        "links": list(p.links),
    }


def read_problem_record(record: Mapping[str, Any]) -> OpPlacementProblem:
    """The problem of a record; KeyError, TypeError or ValueError for what is none."""
    devices = tuple(Device(str(d["name"]), _maybe(d["memory_bytes"])) for d in record["devices"])
    links = tuple(map(str, record["links"]))
    pieces = tuple(
        Piece(str(q["name"]), tuple(map(_maybe, q["times_ns"])), _whole(q["weight_bytes"]), _whole(q["work_bytes"]))
        for q in record["pieces"]
    )
    tensors = tuple(
        Tensor(str(t["name"]), _whole(t["producer"]), tuple(map(_whole, t["users"])), _whole(t["bytes"]))
        for t in record["tensors"]
    )
    routes = {}
    for r in record["routes"]:
        if not isinstance(r["bytes_per_s"], int | float) or not r["bytes_per_s"] > 0:
            raise ValueError("a route has no bandwidth above 0")
        at = (_whole(r["from"]), _whole(r["to"]))
        routes[at] = Route(float(r["bytes_per_s"]), _whole(r["latency_ns"]), tuple(map(_whole, r["links"])))
    p = OpPlacementProblem(pieces, tensors, devices, routes, links)
    _require_whole(p)
    return p


def _require_whole(p: OpPlacementProblem) -> None:
    """ValueError unless every index stands for something, and every piece behind what it reads."""
    n, d, k = len(p.pieces), len(p.devices), len(p.links)
    if any(len(q.times_ns) != d or not any(ns is not None for ns in q.times_ns) for q in p.pieces):
        raise ValueError("a piece has not one time for each device, or none at all")
    if any(not t.producer < v < n for t in p.tensors for v in t.users) or any(t.producer >= n for t in p.tensors):
        raise ValueError("a tensor is used before its producer, or by no piece that there is")
    if any(len(set(t.users)) < len(t.users) for t in p.tensors):
        raise ValueError("a tensor has a user twice")
    if any(max(pair) >= d or pair[0] == pair[1] or any(link >= k for link in r.links) for pair, r in p.routes.items()):
        raise ValueError("a route has an end or a link that there is not")


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"`{value}` is no whole number, 0 or more")
    return value


def _maybe(value: object) -> int | None:
    return None if value is None else _whole(value)


def schedule_record(p: OpPlacementProblem, s: Schedule) -> Json:
    """Where and when each piece runs and each tensor is sent."""
    names = [device.name for device in p.devices]
    return {
        "pieces": [
            {"piece": q.name, "device": names[s.device[i]], "start_ns": s.start_ns[i], "ns": p.time_ns(i, s.device[i])}
            for i, q in enumerate(p.pieces)
        ],
        "transfers": [
            {
                "tensor": t,
                "name": p.tensors[t].name,
                "from": names[s.device[p.tensors[t].producer]],
                "to": names[b],
                "bytes": p.tensors[t].bytes,
                "start_ns": at,
                "ns": p.transfer_ns(t, s.device[p.tensors[t].producer], b),
            }
            for (t, b), at in sorted(s.sent_ns.items(), key=lambda each: (each[1], each[0]))
        ],
    }


def pipeline_record(p: OpPlacementProblem, s: Pipeline) -> Json:
    """Where each piece runs, and how many periods after its run began."""
    pieces = [
        {"piece": q.name, "device": p.devices[s.device[i]].name, "stage": s.stage[i], "ns": p.time_ns(i, s.device[i])}
        for i, q in enumerate(p.pieces)
    ]
    return {"pieces": pieces}


def read_schedule(p: OpPlacementProblem, document: Mapping[str, Any]) -> Schedule:
    """The schedule of a plan; KeyError, TypeError or ValueError for what is none."""
    sent = {(_whole(t["tensor"]), _device(p, t["to"])): _whole(t["start_ns"]) for t in document["transfers"]}
    if any(t >= len(p.tensors) for t, _ in sent) or len(sent) < len(document["transfers"]):
        raise ValueError("a transfer is of no tensor that there is, or stands there twice")
    starts = tuple(_whole(q["start_ns"]) for q in document["pieces"])
    return Schedule(_devices(p, document), starts, sent, _whole(document["value_ns"]))


def read_pipeline(p: OpPlacementProblem, document: Mapping[str, Any]) -> Pipeline:
    """The pipeline of a plan; KeyError, TypeError or ValueError for what is none."""
    stages = tuple(_whole(q["stage"]) for q in document["pieces"])
    return Pipeline(_devices(p, document), stages, _whole(document["value_ns"]))


def _devices(p: OpPlacementProblem, document: Mapping[str, Any]) -> tuple[int, ...]:
    if [q["piece"] for q in document["pieces"]] != [q.name for q in p.pieces]:
        raise ValueError("the pieces are not those of the problem, in its order")
    return tuple(_device(p, q["device"]) for q in document["pieces"])


def _device(p: OpPlacementProblem, name: object) -> int:
    names = [device.name for device in p.devices]
    if name not in names:
        raise ValueError(f"there is no device `{name}`")
    return names.index(str(name))
