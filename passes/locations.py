"""Where a rewritten op comes from: xDSL does not copy locations, so passes do."""

from __future__ import annotations

from dataclasses import replace

from xdsl.dialects.builtin import ArrayAttr, FileLineColLoc, FusedLoc, LocationAttr, NameLoc, NoneAttr, UnknownLoc
from xdsl.ir import Attribute, Operation

from ..ir.diagnostics import InputError


def fused_location(*locations: LocationAttr) -> LocationAttr:
    """All of `locations` that are known, each once: as it is if it is one, else as a fused location."""
    parts: dict[LocationAttr, None] = {}
    for location in locations:
        inner = location.locations if isinstance(location, FusedLoc) else ArrayAttr([location])
        assert isinstance(inner, ArrayAttr)
        parts |= dict.fromkeys(each for each in inner if not isinstance(each, UnknownLoc))
    if len(parts) <= 1:
        return next(iter(parts), locations[0])
    return FusedLoc(ArrayAttr[Attribute](list(parts)), NoneAttr())


def location_text(location: Attribute) -> str:
    """The place as people say it: `net.mlir:3:5`, or names of the model's own; empty where nothing is known."""
    match location:
        case FileLineColLoc():
            return f"{location.filename.data}:{location.line.data}:{location.column.data}"
        case NameLoc():
            return location.desc.data
        case FusedLoc(locations=ArrayAttr() as parts):
            return ", ".join(text for part in parts if (text := location_text(part)))
    return ""


def located(error: InputError, op: Operation) -> InputError:
    """`error`, whose faults say where `op` comes from."""
    place = location_text(op.location)
    faults = [replace(each, message=f"{each.message}, at `{place}`") for each in error.diagnostics]
    return InputError(faults) if place else error


def places(location: Attribute) -> list[str]:
    """The places that went into it, as people say them, each by itself."""
    match location:
        case FusedLoc(locations=ArrayAttr() as parts):
            return [text for part in parts for text in places(part)]
    text = location_text(location)
    return [text] if text else []
