"""How a distribution is written: a bare value, `{mean, p95}`, `{p50, p95}`, `{quantiles: ...}`, `{samples: ...}`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from ..distribution import LARGEST_P95_OVER_MEAN, Distribution
from ..source import Path as DocumentPath
from ..units import DIMENSIONS, UnitError, parse
from .fields import Field, Number, Quantity, Reading, name_of, shown

FORMS = "`{mean, p95}`, `{p50, p95}`, `{quantiles: {p50: ..., p95: ...}}` or `{samples: file.csv}`"
MOST_SAMPLES = 1_000_000


@dataclass(frozen=True)
class Dist:
    """A distribution of a quantity of `dimension`, or of a bare number (tokens) where that is None."""

    dimension: str | None = "time"
    positive: bool = False

    @property
    def value(self) -> Field:
        """The type of one value of the quantity."""
        return Quantity(self.dimension, self.positive) if self.dimension else Number(positive=self.positive)

    def read(self, value: Any, path: DocumentPath, to: Reading) -> Distribution | None:
        """The distribution; `{samples: file}` is put into the document as its values."""
        if not isinstance(value, dict):
            single = self.value.read(value, path, to)
            return None if single is None else Distribution.point(single)
        keys = set(value)
        if keys in ({"mean", "p95"}, {"p50", "p95"}):
            return self._lognormal(value, path, to)
        if keys == {"quantiles"}:
            return self._quantiles(value["quantiles"], (*path, "quantiles"), to)
        if "samples" in keys and keys <= {"samples", "unit"}:
            return self._samples(value, path, to)
        given = f"`{{{', '.join(sorted(keys))}}}`"
        to.fault(path, "distribution", f"{name_of(path)}: {given} is no distribution", f"write {FORMS}")
        return None

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the forms that `read` takes."""
        one = self.value.schema()
        lognormal = [
            {
                "type": "object",
                "properties": {m: one, "p95": one},
                "required": [m, "p95"],
                "additionalProperties": False,
            }
            for m in ("mean", "p50")
        ]
        quantiles = {"type": "object", "patternProperties": {r"^p\d+(\.\d+)?$": one}, "additionalProperties": False}
        samples = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "number", "minimum": 0}}]}
        listed = {
            "type": "object",
            "properties": {"samples": samples, "unit": {"type": "string"}},
            "required": ["samples"],
            "additionalProperties": False,
        }
        by_quantile = {"type": "object", "properties": {"quantiles": quantiles}, "required": ["quantiles"]}
        return {"anyOf": [one, *lognormal, by_quantile | {"additionalProperties": False}, listed]}

    def _lognormal(self, value: dict[str, Any], path: DocumentPath, to: Reading) -> Distribution | None:
        middle_key = "mean" if "mean" in value else "p50"
        middle = self.value.read(value[middle_key], (*path, middle_key), to)
        p95 = self.value.read(value["p95"], (*path, "p95"), to)
        if middle is None or p95 is None:
            return None
        try:
            if middle_key == "p50":
                return Distribution.lognormal_p50_p95(middle, p95)
            return Distribution.lognormal_mean_p95(middle, p95)
        except ValueError:
            at, written = (*path, "p95"), f"{middle_key} {shown(value[middle_key])} and p95 {shown(value['p95'])}"
            message = f"{name_of(path)}: no lognormal distribution has {written}"
        if middle == 0:
            to.fault((*path, middle_key), "distribution", message, f"{middle_key} must be over 0")
        elif p95 < middle:
            to.fault(at, "distribution", message, f"p95 must be at least the {middle_key}", label="below it")
        else:
            ratio = f"{p95 / middle:.4g} times the mean; at most {LARGEST_P95_OVER_MEAN:.3f} is possible"
            help = "give `{p50, p95}`, `{quantiles: {...}}` or `{samples: file.csv}`"
            to.fault(at, "distribution", message, help, label=ratio)
        return None

    def _quantiles(self, value: Any, path: DocumentPath, to: Reading) -> Distribution | None:
        if not isinstance(value, dict) or not value:
            message = f"{name_of(path)} must be a mapping such as `{{p50: ..., p95: ...}}`, not {shown(value)}"
            to.fault(path, "type", message)
            return None
        pairs: list[tuple[float, float]] = []
        for key, item in value.items():
            match = re.fullmatch(r"p(\d{1,2}(?:\.\d+)?|100)", key, re.ASCII)
            if match is None:
                message = f"{name_of(path)}: {shown(key)} is no percentile"
                to.fault((*path, key), "name", message, "write p0 to p100, such as `p99.9`", key=True)
                continue
            number = self.value.read(item, (*path, key), to)
            if number is not None:
                pairs.append((float(match[1]) / 100, number))
        if len(pairs) < len(value):
            return None
        try:
            return Distribution("quantiles", tuple(x for pair in sorted(pairs) for x in pair))
        except ValueError:
            message = f"{name_of(path)}: a higher percentile has a lower value, or two keys name the same one"
            to.fault(path, "distribution", message, key=True)
            return None

    def _samples(self, value: dict[str, Any], path: DocumentPath, to: Reading) -> Distribution | None:
        factor = 1.0
        if self.dimension:
            unit = value.get("unit")
            try:
                factor = parse(f"1 {unit}", self.dimension) if unit else math.nan
            except UnitError:
                factor = math.nan
            if math.isnan(factor):
                dimension = DIMENSIONS[self.dimension]
                example = dimension.example.split(" ", 1)[1]
                message = f"{name_of(path)} needs `unit`, a unit of {dimension.name} for its samples"
                to.fault((*path, "unit"), "unit", message, f"write `unit: {example}`")
                return None
        elif "unit" in value:
            to.fault((*path, "unit"), "unit", f"{name_of(path)}: tokens have no unit", "remove `unit`", key=True)
            return None
        numbers = self._numbers(value["samples"], (*path, "samples"), to)
        if numbers is None:
            return None
        to.embedded[(*path, "samples")] = numbers
        return Distribution("samples", tuple(number * factor for number in numbers))

    def _numbers(self, value: Any, path: DocumentPath, to: Reading) -> list[float] | None:
        if isinstance(value, list):
            numbers = [Number().read(item, (*path, number), to) for number, item in enumerate(value)]
            if any(number is None for number in numbers):
                return None
            found = [float(number) for number in numbers if number is not None]
        elif isinstance(value, str) and to.base is not None:
            found = _column(value, path, to)
        else:
            to.fault(path, "type", f"{name_of(path)} must be a .csv file or a list of numbers, not {shown(value)}")
            return None
        if found is not None and not 0 < len(found) <= MOST_SAMPLES:
            to.fault(path, "range", f"{name_of(path)} has {len(found)} samples; 1 to {MOST_SAMPLES} are possible")
            return None
        return found


def _column(name: str, path: DocumentPath, to: Reading) -> list[float] | None:
    """The numbers in a file of one column; a first line that is no number is its header."""
    assert to.base is not None
    try:
        lines = (to.base / name).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as fault:
        reason = "there is no such file" if isinstance(fault, FileNotFoundError) else "it cannot be read as text"
        to.fault(path, "no-file", f"{name_of(path)}: samples cannot be read from {shown(name)}: {reason}")
        return None
    numbers: list[float] = []
    for number, line in enumerate(lines, start=1):
        text = line.strip().rstrip(",")
        try:
            numbers.append(float(text))
            bad = not 0 <= numbers[-1] < math.inf
        except ValueError:
            bad = bool(text) and number > 1
        if bad:
            message = f"{name_of(path)}: line {number} of {shown(name)} is {shown(text)}, not a number of 0 or more"
            to.fault(path, "samples", message)
            return None
    return numbers
