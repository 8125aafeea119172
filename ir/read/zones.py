"""Zones of a fleet: parts of a site that fail each by itself, and over which replicas are spread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .fields import Reading


def zones_of(plain: Mapping[str, Any]) -> list[str]:
    """Names of all zones that devices stand in, in the order of the file."""
    found: list[str] = []
    for device in plain["devices"].values():
        if device is not None:
            found += [*device.get("zones", ()), *([device["zone"]] if "zone" in device else ())]
    return list(dict.fromkeys(found))


def check_zones(plain: Mapping[str, Any], to: Reading) -> None:
    """A device names its zones in one way and each once, zones are called as nothing else is, and some may survive."""
    taken = {**dict.fromkeys(plain.get("sites", {}), "a region"), **dict.fromkeys(plain["devices"], "a device")}
    for name, device in plain["devices"].items():
        if device is None:
            continue
        path = ("devices", name)
        if "zone" in device and "zones" in device:
            message = f"the device `{name}` has both `zone` and `zones`"
            to.fault((*path, "zone"), "conflict", message, "write all under `zones`", key=True)
        listed = device.get("zones", ())
        named = [((*path, "zones", k), zone, zone in listed[:k]) for k, zone in enumerate(listed)]
        named += [((*path, "zone"), device["zone"], False)] if "zone" in device else []
        for at, zone, is_again in named:
            if is_again:
                to.fault(at, "name", f"the device `{name}` names the zone `{zone}` twice", "name each zone once")
            elif zone in taken:
                to.fault(at, "name", f"`{zone}` is the name of a zone and of {taken[zone]}", "call the zone otherwise")
    _check_survival(plain, to)


def _check_survival(plain: Mapping[str, Any], to: Reading) -> None:
    """To survive the loss of a zone devices must say theirs; a chassis of one zone is of no use in another."""
    if not (plain.get("survive") or {}).get("zone"):
        return
    if not zones_of(plain):
        message = "`survive.zone` asks for zones, and no device says in which it stands"
        to.fault(("survive", "zone"), "missing-key", message, "add `zones: [a, b, c]` to the devices")
    for name, device in plain["devices"].items():
        if device and len(device.get("zones", ())) > 1 and device.get("sold_by") == "chassis":
            message = f"`{name}` is sold by the chassis, and how chassis fill over several zones is not planned"
            help = "list the device once for each zone, or leave `survive.zone` out"
            to.fault(("devices", name, "sold_by"), "conflict", message, help)
