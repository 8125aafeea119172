"""Where a rewritten op comes from: xDSL does not copy locations, so passes do."""

from __future__ import annotations

from xdsl.dialects.builtin import ArrayAttr, FusedLoc, LocationAttr, NoneAttr, UnknownLoc
from xdsl.ir import Attribute


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
