"""Figures of the catalogue: a value in base units, with where it comes from, when, and how far to trust it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

QUALITIES = ("measured", "fitted", "data_sheet", "guess")
"""From the most to the least trusted."""


@dataclass(frozen=True)
class Figure:
    """One number of the catalogue, in base units."""

    value: float
    source: str
    date: str
    """when the source was published, as `2023` or `2023-03`"""
    quality: str
    """one of `QUALITIES`"""
    text: str = ""
    """the number as written, with its unit"""


def worst(*qualities: str) -> str:
    """The least trusted of some quality marks."""
    return max(qualities, key=QUALITIES.index)


def read_yaml(path: Path) -> Mapping[str, Any]:
    """The document in a YAML file of the catalogue."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with path.open(encoding="utf-8") as stream:
        return yaml.load(stream, Loader=loader) or {}


def read_entries(folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(id, entry) of every entry in the YAML files of one folder of the catalogue, file by file."""
    for path in sorted(folder.glob("*.yaml")):
        yield from read_yaml(path).items()


def marked_values(entry: Mapping[str, Any]) -> Iterator[tuple[str, Any, str, str, str]]:
    """(name, raw value, source, date, quality) of every figure of an entry.

    `figures` is a list of groups; a group is one source, its date and quality, and the values taken from it.
    A value that is a mapping gives one figure for each key: `flops: {bf16: ...}` gives `flops.bf16`.
    """
    for group in entry.get("figures", ()):
        source, date, quality = str(group["source"]), str(group["date"]), str(group["quality"])
        if quality not in QUALITIES:
            raise ValueError(f"`{quality}` is no quality mark")
        for name, raw in group.items():
            if name in ("source", "date", "quality"):
                continue
            if isinstance(raw, Mapping):
                for key, part in raw.items():
                    yield f"{name}.{key}", part, source, date, quality
            else:
                yield name, raw, source, date, quality
