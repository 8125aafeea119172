"""The types a key may have: how a value is checked, where its faults are noted, and its JSON Schema.

`read` gives the value in base units, or None after noting a fault; reading goes on, so that one run shows all.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ..diagnostics import Diagnostics, did_you_mean
from ..ranges import Range
from ..source import Path as DocumentPath
from ..source import SourceMap
from ..units import DIMENSIONS, SMALLEST, UnitError, parse, shorten


@dataclass
class Reading:
    """What reading one document notes: faults with places, and values of files that it embeds."""

    sources: SourceMap
    faults: Diagnostics
    base: Path | None = None
    """The folder that paths in the document are relative to; None: the document names no files."""
    embedded: dict[DocumentPath, Any] = field(default_factory=dict)
    chain: tuple[Path, ...] = ()
    """The files that nest this document, the outermost first, and its own."""
    nested: list[Path] = field(default_factory=list)
    """The files of all nested graphs that were read, in order."""
    ranges: list[Range] = field(default_factory=list)
    """Figures of which only the ends are known."""

    def fault(
        self, path: DocumentPath, id: str, message: str, help: str | None = None, *, label: str = "", key: bool = False
    ) -> None:
        """Note an error at the value at `path`, or at its key."""
        span = self.sources.key(path) if key else self.sources.value(path)
        self.faults.error(id, message, span, label, help)

    def later(self, path: DocumentPath, what: str, help: str | None = None, *, key: bool = False) -> None:
        """Note that `what`, written at `path`, is known but not planned for yet."""
        self.fault(path, "unsupported", f"{what} is not supported yet", help, key=key)


def name_of(path: DocumentPath) -> str:
    """The path as messages show it: `edges[1].to`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return f"`{shorten(text, 80)}`" if text else "the document"


def shown(value: Any) -> str:
    """A value as messages show it."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return f"`{shorten(str(value).lower() if isinstance(value, bool) else str(value))}`"


class Field(Protocol):
    """A type of values in a document."""

    def read(self, value: Any, path: DocumentPath, to: Reading) -> Any:
        """The value in base units; None where a fault was noted."""
        ...

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the values that this type takes."""
        ...


@dataclass(frozen=True)
class Quantity:
    """A number with a unit of `dimension`; `positive` leaves out 0."""

    dimension: str
    positive: bool = False
    maximum: float | None = None
    minimum: float = 0.0

    def read(self, value: Any, path: DocumentPath, to: Reading) -> float | None:
        try:
            number = parse(value, self.dimension)
        except UnitError as fault:
            to.fault(path, "unit", f"{name_of(path)}: {fault}", fault.help)
            return None
        return _within(self, number, shown(value), path, to)

    def schema(self) -> dict[str, Any]:
        dimension = DIMENSIONS[self.dimension]
        text = {"type": "string", "description": dimension.name, "examples": [dimension.example]}
        return {"anyOf": [text, {"type": "number"}]} if self.dimension == "fraction" else text


LARGEST = 1e15
"""No bare number is larger: floats still count one by one up to here."""


@dataclass(frozen=True)
class Number:
    """A bare number, within bounds."""

    minimum: float = 0.0
    maximum: float | None = None
    positive: bool = False
    integer: bool = False

    def read(self, value: Any, path: DocumentPath, to: Reading) -> float | int | None:
        wanted = "a whole number" if self.integer else "a number"
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            to.fault(path, "type", f"{name_of(path)} must be {wanted}, not {shown(value)}")
            return None
        if self.integer and value != int(value):
            to.fault(path, "type", f"{name_of(path)} must be {wanted}, not `{value}`")
            return None
        if abs(value) > LARGEST or 0 < abs(value) < SMALLEST:
            to.fault(path, "range", f"{name_of(path)} is too {'large' if abs(value) > 1 else 'small'}: {shown(value)}")
            return None
        return _within(self, int(value) if self.integer else float(value), f"`{value}`", path, to)

    def schema(self) -> dict[str, Any]:
        result: dict[str, Any] = {"type": "integer" if self.integer else "number"}
        result["exclusiveMinimum" if self.positive else "minimum"] = self.minimum
        return result | ({} if self.maximum is None else {"maximum": self.maximum})


def _within(rule: Quantity | Number, number: float, text: str, path: DocumentPath, to: Reading) -> Any:
    low, high = rule.minimum, rule.maximum
    if number < low or (rule.positive and number == low):
        bound = f"over {low:g}" if rule.positive else "0 or more" if low == 0 else f"at least {low:g}"
        to.fault(path, "range", f"{name_of(path)} must be {bound}, not {text}")
        return None
    if high is not None and number > high:
        to.fault(path, "range", f"{name_of(path)} must be at most {high:g}, not {text}")
        return None
    return number


@dataclass(frozen=True)
class Text:
    """A string; one of `choices`, or of the form `pattern`, where given. `later` are known but unsupported."""

    choices: tuple[str, ...] = ()
    pattern: str | None = None
    form: str = ""
    """The pattern in words."""
    later: tuple[str, ...] = ()

    def read(self, value: Any, path: DocumentPath, to: Reading) -> str | None:
        if not isinstance(value, str) or not value.strip():
            to.fault(path, "type", f"{name_of(path)} must be text, not {shown(value) if value != '' else 'empty'}")
            return None
        if value in self.later:
            to.later(path, f"`{path[-1]}: {value}`", f"supported are {', '.join(self.choices)}")
            return None
        if self.choices and value not in self.choices:
            near = did_you_mean(value, (*self.choices, *self.later))
            to.fault(
                path,
                "choice",
                f"{name_of(path)} has no choice {shown(value)}",
                near or f"choose one of {', '.join(self.choices)}",
            )
            return None
        if self.pattern and not re.fullmatch(self.pattern, value):
            to.fault(path, "name", f"{name_of(path)}: {shown(value)} is not {self.form}")
            return None
        return value

    def schema(self) -> dict[str, Any]:
        if self.choices:
            return {"enum": [*self.choices, *self.later]}
        return {"type": "string"} | ({"pattern": f"^{self.pattern}$"} if self.pattern else {})


@dataclass(frozen=True)
class Flag:
    """true or false."""

    def read(self, value: Any, path: DocumentPath, to: Reading) -> bool | None:
        if not isinstance(value, bool):
            to.fault(path, "type", f"{name_of(path)} must be `true` or `false`, not {shown(value)}")
            return None
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True)
class CountRange:
    """`4` (0..4) or `a..b`: the bounds on a number of devices."""

    def read(self, value: Any, path: DocumentPath, to: Reading) -> tuple[int, int] | None:
        match = re.fullmatch(r"\s*(\d{1,9})\s*\.\.\s*(\d{1,9})\s*", value, re.ASCII) if isinstance(value, str) else None
        if match and int(match[1]) <= int(match[2]):
            return int(match[1]), int(match[2])
        if match:
            message = f"{name_of(path)}: {shown(value)} starts above its end"
            to.fault(path, "range", message, f"write `{match[2]}..{match[1]}`")
            return None
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return 0, value
        message = f"{name_of(path)} must be a number of devices, such as `4` or `0..4`, not {shown(value)}"
        to.fault(path, "type", message)
        return None

    def schema(self) -> dict[str, Any]:
        return {
            "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^\s*\d+\s*\.\.\s*\d+\s*$"}]
        }


@dataclass(frozen=True)
class ListOf:
    """A list of `item`; a single item may stand for a list of one where `or_one`."""

    item: Field
    or_one: bool = False
    shortest: int = 0
    longest: int | None = None

    def read(self, value: Any, path: DocumentPath, to: Reading) -> list[Any] | None:
        if self.or_one and not isinstance(value, list):
            one = self.item.read(value, path, to)
            return None if one is None else [one]
        if not isinstance(value, list):
            to.fault(path, "type", f"{name_of(path)} must be a list, not {shown(value)}")
            return None
        if len(value) < self.shortest or (self.longest is not None and len(value) > self.longest):
            bound = f"at least {self.shortest}" if len(value) < self.shortest else f"at most {self.longest}"
            wanted = f"{self.shortest}" if self.shortest == self.longest else bound
            message = f"{name_of(path)} must have {wanted} entries, not {len(value)}"
            to.fault(path, "range", message)
            return None
        items = [self.item.read(item, (*path, number), to) for number, item in enumerate(value)]
        return None if any(item is None for item in items) else items

    def schema(self) -> dict[str, Any]:
        many: dict[str, Any] = {"type": "array", "items": self.item.schema(), "minItems": self.shortest}
        if self.longest is not None:
            many["maxItems"] = self.longest
        return {"anyOf": [self.item.schema(), many]} if self.or_one else many


@dataclass(frozen=True)
class MapOf:
    """A mapping from names of the form `pattern` to `item`."""

    item: Field
    pattern: str
    form: str
    """The pattern in words."""

    def read(self, value: Any, path: DocumentPath, to: Reading) -> dict[str, Any] | None:
        if not isinstance(value, dict):
            to.fault(path, "type", f"{name_of(path)} must be a mapping from names, not {shown(value)}")
            return None
        result: dict[str, Any] = {}
        for key, item in value.items():
            if not re.fullmatch(self.pattern, key):
                message = f"{shown(key)} is no name for an entry of {name_of(path)}"
                to.fault((*path, key), "name", message, f"a name is {self.form}", key=True)
            result[key] = self.item.read(item, (*path, key), to)
        return result

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "patternProperties": {f"^{self.pattern}$": self.item.schema()},
            "additionalProperties": False,
        }


@dataclass(frozen=True)
class Key:
    """One key of a record: its type, one line on what it says, and whether it must be there."""

    type: Field
    doc: str
    required: bool = False


@dataclass(frozen=True)
class Record:
    """A mapping with known keys."""

    keys: Mapping[str, Key]

    def read(self, value: Any, path: DocumentPath, to: Reading) -> dict[str, Any] | None:
        """The values that are right, by key; keys that are absent or wrong are left out."""
        if not isinstance(value, dict):
            known = ", ".join(list(self.keys)[:4])
            to.fault(path, "type", f"{name_of(path)} must be a mapping (with {known}), not {shown(value)}")
            return None
        result: dict[str, Any] = {}
        suggested = ""
        for key, item in value.items():
            rule, here = self.keys.get(key), (*path, key)
            if rule is None:
                near = did_you_mean(key, self.keys)
                suggested += near or ""
                help = near or f"known keys are {', '.join(self.keys)}"
                to.fault(here, "unknown-key", f"{name_of(path)} has no key {shown(key)}", help, key=True)
            elif (right := rule.type.read(item, here, to)) is not None:
                result[key] = right
        for key, rule in self.keys.items():
            if rule.required and key not in value and f"`{key}`" not in suggested:
                to.fault(path, "missing-key", f"{name_of(path)} needs `{key}`: {rule.doc}", key=True)
        return result

    def schema(self) -> dict[str, Any]:
        properties = {key: rule.type.schema() | {"description": rule.doc} for key, rule in self.keys.items()}
        required = sorted(key for key, rule in self.keys.items() if rule.required)
        result: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
        return result | ({"required": required} if required else {})


@dataclass(frozen=True)
class Tagged:
    """A mapping whose key `tag` says which record it is; `later` are kinds known but unsupported."""

    tag: str
    records: Mapping[str, Record]
    later: tuple[str, ...] = ()

    def read(self, value: Any, path: DocumentPath, to: Reading) -> dict[str, Any] | None:
        if not isinstance(value, dict) or self.tag not in value:
            known = ", ".join(self.records)
            to.fault(path, "missing-key", f"{name_of(path)} needs `{self.tag}`: one of {known}", key=True)
            return None
        kind = Text(tuple(self.records), later=self.later).read(value[self.tag], (*path, self.tag), to)
        return None if kind is None else self.records[kind].read(value, path, to)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [self._one(tag, record.schema()) for tag, record in self.records.items()]}

    def _one(self, tag: str, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema of the record that goes with `tag`."""
        known = schema["properties"][self.tag] | {"const": tag}
        return schema | {"properties": schema["properties"] | {self.tag: known}}


@dataclass(frozen=True)
class Later:
    """Known, but refused, since a plan that ignored it would be wrong."""

    what: str
    help: str | None = None

    def read(self, value: Any, path: DocumentPath, to: Reading) -> None:
        to.later(path, f"{name_of(path)} ({self.what})", self.help, key=True)

    def schema(self) -> dict[str, Any]:
        return {"description": "not supported yet"}


@dataclass(frozen=True)
class Unless:
    """`inner`, unless `test` says of the raw value that it is a form not supported yet."""

    inner: Field
    test: Callable[[Any], bool]
    what: str
    help: str | None = None

    def read(self, value: Any, path: DocumentPath, to: Reading) -> Any:
        if self.test(value):
            to.later(path, f"{name_of(path)} ({self.what})", self.help)
            return None
        return self.inner.read(value, path, to)

    def schema(self) -> dict[str, Any]:
        return self.inner.schema()


@dataclass(frozen=True)
class Either:
    """One of two types, told apart by `first_if` of the raw value."""

    first_if: Callable[[Any], bool]
    first: Field
    second: Field

    def read(self, value: Any, path: DocumentPath, to: Reading) -> Any:
        return (self.first if self.first_if(value) else self.second).read(value, path, to)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [self.first.schema(), self.second.schema()]}
