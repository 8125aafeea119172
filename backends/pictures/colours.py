"""The colour of each kind of box, the same in every format."""

from __future__ import annotations

COLOURS = {
    "group": "#f7fafc",
    "repeat": "#f3f0fa",
    "pool": "#eef4fb",
    "agent": "#f4f7ee",
    "end": "#e2e8f0",
    "llm": "#f6d5c8",
    "model": "#f3e3ac",
    "tool": "#cfe3d4",
    "small": "#e3e7ee",
    "product": "#bcd3ea",
    "window": "#bcd3ea",
    "norm": "#d9c3e6",
    "move": "#e3e7ee",
    "collective": "#f6bba7",
}
"""Kind -> fill; light, since the text on it is dark."""
OTHER = "#ffffff"


def colour(kind: str) -> str:
    """The fill of boxes of `kind`."""
    return COLOURS.get(kind, OTHER)
