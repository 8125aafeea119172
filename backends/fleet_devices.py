"""What a plan says of the devices of its fleet, by the name that the fleet gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..costmodel.hardware import Device, entry_named, read_device
from ..ir.units import parse

Json = Mapping[str, Any]


def written_of(inputs: Json, name: str) -> Json:
    """The fleet's own entry of the device `name`, of the `inputs` of a plan; empty where there is none."""
    return ((inputs.get("fleet") or {}).get("devices") or {}).get(name) or {}


def known_device(inputs: Json, name: str) -> Device | None:
    """The device of the catalogue that the plan embeds; None where the fleet alone describes it."""
    entries = (inputs.get("catalogue") or {}).get("devices") or {}
    found = entry_named(str(written_of(inputs, name).get("model") or name), entries)
    return read_device(*found) if found else None


def kind_of(inputs: Json, name: str) -> str | None:
    """`gpu`, `npu`, `cpu` or `api`, by the fleet's own word or the catalogue's; None where nothing is known of it."""
    known = known_device(inputs, name)
    return written_of(inputs, name).get("kind") or (known.kind if known else None)


def scratchpad_bytes(inputs: Json, name: str) -> float | None:
    """The scratchpad of the device `name`, by the fleet's own word or the catalogue's; None where none is known of."""
    from ..ir.read.fleet import parse_fleet

    for spec in parse_fleet(inputs["fleet"]).spec.devices:
        if spec.name == name and spec.scratchpad_bytes is not None:
            return spec.scratchpad_bytes
    known = known_device(inputs, name)
    return known.scratchpad_bytes if known else None


def memory_bytes(inputs: Json, name: str) -> float | None:
    """Memory of the device `name`, by the fleet's own word or the catalogue's [bytes]; None where none is known of."""
    written, known = written_of(inputs, name).get("memory"), known_device(inputs, name)
    if written is not None:
        return parse(written, "bytes")
    return known.memory_bytes if known else None
