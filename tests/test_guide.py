"""The guide names every key that graphs and fleets may have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from dovetail.ir.read.fleet_schema import PRECISIONS
from dovetail.ir.read.schema import json_schema

GUIDE = (Path(__file__).parents[1] / "docs" / "guide.md").read_text(encoding="utf-8")
NOT_YET = {"hourly", "trace", "batch", "racks", "survive", "replicas", "interruptions"}
UNDER_OTHERS = {"arrivals", "cv", "limit", "failure", "ep", "dp", "usd_per_prompt_token"}
"""Keys that a sentence on something larger covers."""


def keys(schema: Any) -> Iterator[str]:
    """Every key of every object of a JSON schema."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for value in schema.values():
            yield from keys(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from keys(item)


@pytest.mark.parametrize("which", ["graph", "fleet"])
def test_every_key_is_in_the_guide(which: Literal["graph", "fleet"]) -> None:
    words = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`]+`|\n    .*", GUIDE))))
    assert set(keys(json_schema(which))) - NOT_YET - UNDER_OTHERS <= words | set(PRECISIONS)
