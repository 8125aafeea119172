"""What was fitted to measurements of one device: coefficients of its kernels, and of engines that run one model on it.

`calibration` in a device's entry is a list of groups, one for each table of measurements:

    calibration:
      - {source: gemm.csv, date: 2026-11-21, quality: fitted, rows: 10, error_before: 0.21, error_after: 0.07,
         kernels: {gemm_plain: {fitted: {launch_clocks: 4100.0}, inherited: {compute_share: 0.93}}}}
      - {source: serving.csv, ..., serving: {model: qwen3-32b, engine: vllm, precision: fp8, fitted: {step_scale: 1.1}}}

A kernel's group holds all of its coefficients, so that a plan that embeds it is derived again with the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

Values = Mapping[str, float]
_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Cell:
    """Coefficients of one engine that runs one model in one precision."""

    model: str
    engine: str
    precision: str
    values: Values
    """by the names of `serving.Engine`"""


@dataclass(frozen=True)
class Calibration:
    """Coefficients that go before those that a device would have otherwise."""

    kernels: Mapping[str, Values] = field(default_factory=lambda: _NONE)
    """by the names of the catalogue's kernels"""
    cells: tuple[Cell, ...] = ()

    def engine(self, model: str, engine: str, precision: str) -> Values:
        """Coefficients for that engine with that model; empty where it was not measured. The latest group counts."""
        wanted = (model, engine, precision)
        found = (c.values for c in reversed(self.cells) if (c.model, c.engine, c.precision) == wanted)
        return next(found, _NONE)


NOTHING = Calibration()


def read_calibration(groups: Iterable[Mapping[str, Any]]) -> Calibration:
    """The coefficients of such a list; KeyError, TypeError or ValueError for one that is not understood."""
    kernels: dict[str, Values] = {}
    cells: list[Cell] = []
    for group in groups:
        kernels |= {name: _values(parts) for name, parts in group.get("kernels", {}).items()}
        if "serving" in group:
            own = group["serving"]
            cells.append(Cell(str(own["model"]), str(own["engine"]), str(own["precision"]), _values(own)))
    return Calibration(kernels, tuple(cells)) if kernels or cells else NOTHING


def _values(parts: Mapping[str, Any]) -> Values:
    return {name: float(value) for key in ("inherited", "fitted") for name, value in parts.get(key, {}).items()}
