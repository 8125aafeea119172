"""Where the ops of a network run, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

MOST_LINES = 40
"""stretches that are listed; plan.json has all"""


def op_placement_text(document: Mapping[str, Any]) -> str:
    """The plan for people."""
    return (
        "\n".join([*_head(document), "", *_others(document), "", *_devices(document), "", *_stretches(document)]) + "\n"
    )


def _head(document: Mapping[str, Any]) -> Iterator[str]:
    names = ", ".join(device["name"] for device in document["devices"])
    proof = "optimal" if document["status"] == "optimal" else f"at most {document['gap']:.2%} above the least"
    yield f"{document['inputs']['model']} over {names}: {proof}"
    if document["objective"] == "makespan":
        yield f"one run takes {_ms(document['value_ns'])}"
    else:
        rate = 1e9 / document["value_ns"] if document["value_ns"] else float("inf")
        first = _ms(document["latency_ns"])
        yield f"a result every {_ms(document['value_ns'])} ({rate:.4g} in a second), the first after {first}"


def _others(document: Mapping[str, Any]) -> Iterator[str]:
    yield f"{'others':30}{'time':>14}{'to this':>10}"
    for name, ns in document["others_ns"].items():
        ratio = f"{ns / document['value_ns']:9.3f}x" if ns is not None and document["value_ns"] else f"{'-':>10}"
        yield f"{name:30}{_ms(ns) if ns is not None else 'does not run':>14}{ratio}"


def _devices(document: Mapping[str, Any]) -> Iterator[str]:
    whole = document["value_ns"] or 1
    yield f"{'device':30}{'ops':>6}{'busy':>14}{'':>8}{'memory':>14}{'of':>14}"
    for d in document["devices"]:
        has = "any" if d["memory_bytes"] is None else _gb(d["memory_bytes"])
        busy = f"{_ms(d['busy_ns']):>14}{d['busy_ns'] / whole:8.0%}"
        yield f"{d['name']:30}{d['pieces']:6}{busy}{_gb(d['bytes']):>14}{has:>14}"
    yield ""
    yield f"{'link':36}{'busy':>14}"
    for link in document["links"]:
        yield f"{link['name']:36}{_ms(link['busy_ns']):>14}{link['busy_ns'] / whole:8.0%}"


def _stretches(document: Mapping[str, Any]) -> Iterator[str]:
    """Ops that run on one device, one after another, in one line."""
    key = "start_ns" if document["objective"] == "makespan" else "stage"
    pieces = sorted(document["pieces"], key=lambda q: q[key])
    yield f"{'from' if key == 'start_ns' else 'stage':>12}  {'device':24}{'ops':>6}{'time':>14}  what"
    lines = 0
    for device, run in groupby(pieces, key=lambda q: (q["device"], q[key] if key == "stage" else None)):
        stretch = list(run)
        at = _ms(stretch[0][key]) if key == "start_ns" else str(stretch[0][key])
        ends = stretch[0]["piece"] if len(stretch) == 1 else f"{stretch[0]['piece']} to {stretch[-1]['piece']}"
        lines += 1
        if lines <= MOST_LINES:
            yield f"{at:>12}  {device[0]:24}{len(stretch):6}{_ms(sum(q['ns'] for q in stretch)):>14}  {ends}"
    if lines > MOST_LINES:
        yield f"... and {lines - MOST_LINES} more"


def _ms(ns: float) -> str:
    return f"{ns / 1e6:.3f} ms"


def _gb(size: float) -> str:
    return f"{size / 1e9:.3f} GB" if size >= 1e7 else f"{size / 1e6:.3f} MB"
