"""Pools that go down when they are idle: which devices can be given back, and after how long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..fleet import ScaleSpec
from .fields import Reading


def scale_of(device: Mapping[str, Any]) -> ScaleSpec:
    """What a device says of `scale`; without it its pools stay up."""
    if "scale" not in device:
        return ScaleSpec(min_replicas=1)
    scale = device["scale"]
    return ScaleSpec(scale.get("min_replicas", 0), tuple(scale.get("keep_alive", ())))


def check_scale(plain: Mapping[str, Any], to: Reading) -> None:
    """Only what is rented by the device can be given back, and nothing else may ask that it be there."""
    survive = plain.get("survive") or {}
    for name, device in plain["devices"].items():
        scale = (device or {}).get("scale")
        if device is None or scale is None or device.get("kind") == "api" or scale.get("min_replicas", 0):
            continue
        path = ("devices", name, "scale")
        if "keep_alive" not in scale and (*path, "keep_alive") not in to.sources.keys:
            message = f"`scale` of `{name}` does not say after what time an idle pool goes down"
            to.fault(path, "missing-key", message, "add `keep_alive: 5 min`", key=True)
        for why, help in _stays(device):
            to.fault(path, "conflict", f"pools of `{name}` cannot go down: {why}", help, key=True)
        if survive.get("replicas") or survive.get("zone"):
            message = f"pools of `{name}` cannot go down: a pool that is down has no replica that may fail"
            to.fault(path, "conflict", message, "leave `survive` out, or set `min_replicas: 1`", key=True)


def _stays(device: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Why a device cannot be given back, each reason with a way out."""
    price, rented = device.get("price", {}), "list those that are rented by another name"
    if "rent" not in price:
        yield "only rented devices can be given back", "add `rent` to the price, or leave `scale` out"
    if device.get("owned"):
        yield "some of them are owned", rented
    if isinstance(device.get("count"), tuple) and device["count"][0] > 0:
        yield "some of them are always taken", "let `count` begin at 0"
    if device.get("sold_by") == "chassis":
        yield "they are sold by the chassis", "leave `sold_by` out"
    if price.get("rent") == "spot" or price.get("interruptions", 0.0) > 0:
        yield "that of devices which may be taken back is not planned yet", rented
