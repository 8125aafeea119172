"""A user's table of measurements: which kind it is, and every fault that can be told without the model."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...ir.diagnostics import Diagnostic, Diagnostics, InputError, Label, did_you_mean
from ...ir.read.csv_table import CsvTable, read_csv
from ...ir.source import SourceFile, Span
from ..hardware import Device, canonical, device_id
from ..operators.estimate import KINDS

LEAST_ROWS = 5
"""measurements without which nothing is fitted"""
SERVING = ("model_path", "isl", "osl", "batch_size", "tp_size")
NEEDED: Mapping[str, tuple[str, ...]] = {**{kind: entry.columns for kind, entry in KINDS.items()}, "serving": SERVING}
"""columns by kind of table, besides those that were measured"""
TIMES: Mapping[str, tuple[str, ...]] = {"latency": ("latency",), "tpot": ("silicon_tpot_ms", "tpot_ms")}
"""names of the columns that must be measured, of operators and of serving points: [ms]"""
TTFT = ("silicon_ttft_ms", "ttft_ms")
SHOWN = 20
"""faulty rows that are shown, of more"""


@dataclass(frozen=True)
class Measurements:
    """A table whose header is right."""

    kind: str
    table: CsvTable
    times: Mapping[str, Sequence[float]]
    """[ms] by column"""
    faults: Diagnostics
    """what is wrong with its rows so far; the reader of a kind adds its own, and raises"""


def read_measurements(path: Path, device: Device, name: str) -> Measurements:
    """The table at `path`, measured on `device`, called `name`. InputError with every fault of the header."""
    if path.is_file() and b"\0" in path.read_bytes()[:4096]:
        raise InputError([Diagnostic("unreadable", f"`{path}` is no text: it has bytes of value 0")])
    kind, times = _check_header(path)
    table = read_csv(path)
    faults = Diagnostics()
    for row, message in table.faults.items():
        faults.error("row", message, table.span(row, ""))
    measured = {column: [_time(table, row, column, faults) for row in range(len(table.rows))] for column in times}
    _check_system(table, device, name, faults)
    if len(table.rows) < LEAST_ROWS:
        where = Span(table.source, table.lines[-1] if table.lines else 1, 1)
        message = f"{len(table.rows)} measurements are too few to fit to: {LEAST_ROWS} are needed"
        faults.error("too-few-rows", message, where, help="ten drawn at random over the sizes that matter do well")
    return Measurements(kind, table, measured, faults)


def raise_some(faults: Diagnostics) -> None:
    """InputError with the first `SHOWN` faults, in the order of their lines, and the number of the others."""
    if not faults.errors:
        return
    found = sorted(faults.errors, key=lambda fault: fault.labels[0].span.line if fault.labels else 0)
    left = len(found) - SHOWN
    more = [Diagnostic("more", f"and {left} faults more of the same table")] if left > 0 else []
    raise InputError([*found[:SHOWN], *more])


def _check_header(path: Path) -> tuple[str, tuple[str, ...]]:
    """(kind, columns of times) of the table; InputError with every fault of its header."""
    source = read_csv_source(path)
    columns = tuple(cell.strip() for cell in next(csv.reader([source.line(1)]), []))
    whole = Span(source, 1, 1, max(1, len(source.line(1).rstrip())))
    if not any(columns):
        raise InputError([Diagnostic("no-header", f"`{source.name}` has no header", (Label(whole),))])
    faults = Diagnostics()
    for name in sorted({name for name in columns if columns.count(name) > 1}):
        faults.error("column-twice", f"the column `{name}` is there twice", _heading(source, columns, name, last=True))
    kind = max(NEEDED, key=lambda kind: sum(name in columns for name in NEEDED[kind]) / len(NEEDED[kind]))
    if not any(name in columns for name in NEEDED[kind]):
        known = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in NEEDED.items())
        faults.error("unknown-table", "these are no columns of measurements", whole, help=known)
        faults.raise_if_errors()
    for name in (name for name in NEEDED[kind] if name not in columns):
        near = did_you_mean(name, [column for column in columns if column not in NEEDED[kind]])
        faults.error("missing-column", f"the column `{name}` of a table of {kind} is missing", whole, help=near)
    wanted = TIMES["tpot" if kind == "serving" else "latency"]
    if not any(name in columns for name in wanted):
        _no_times(source, columns, wanted, whole, faults)
    faults.raise_if_errors()
    first = tuple(name for name in wanted if name in columns)[:1]
    second = tuple(name for name in TTFT if name in columns)[:1] if kind == "serving" else ()
    return kind, first + second


def read_csv_source(path: Path) -> SourceFile:
    """The text of the file; InputError where it cannot be read."""
    try:
        return SourceFile(str(path), path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError):
        read_csv(path)  # which says what is wrong
        raise


def _no_times(
    source: SourceFile, columns: Sequence[str], wanted: Sequence[str], whole: Span, faults: Diagnostics
) -> None:
    """Say that nothing measured is there; a column in another unit is shown."""
    stem = wanted[-1].removesuffix("_ms")
    other = next((name for name in columns if name.lower().startswith((stem, f"silicon_{stem}"))), None)
    if other is None:
        help = f"measured times stand in `{wanted[-1]}`, in milliseconds"
        faults.error("missing-column", f"the column `{wanted[-1]}` is missing", whole, help=help)
    else:
        help = f"did you mean `{wanted[-1]}`, in milliseconds?"
        faults.error(
            "unknown-column", f"the column `{other}` is not known", _heading(source, columns, other), help=help
        )


def _heading(source: SourceFile, columns: Sequence[str], name: str, last: bool = False) -> Span:
    """Where the header names that column."""
    places = [index for index, column in enumerate(columns) if column == name]
    at = places[-1] if last else places[0]
    cells = source.line(1).rstrip("\r").split(",")
    return Span(source, 1, sum(len(cell) + 1 for cell in cells[:at]) + 1, max(1, len(cells[at])))


def _time(table: CsvTable, row: int, column: str, faults: Diagnostics) -> float:
    """[ms] of a cell; a blank time to first token is one that was not measured."""
    text = table.rows[row][column].strip()
    if row in table.faults or (not text and column in TTFT):
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        what = "is no time" if not math.isfinite(value) else "is not above 0"
        message = f"`{column}`: `{text[:40]}` {what}" if text else f"`{column}` is blank"
        faults.error("time", message, table.span(row, column), help="give milliseconds, as a number over 0")
        return math.nan
    return value


def _check_system(table: CsvTable, device: Device, name: str, faults: Diagnostics) -> None:
    """Every row that names a device names this one."""
    if "system" not in table.columns:
        return
    for system, row in _first_of_each(table, "system"):
        if system and (device_id(system) or canonical(system)) not in (device.id, canonical(name)):
            count = sum(each["system"].strip() == system for each in table.rows)
            message = f"{count} rows are of `{system}`, and `{name}` is calibrated"
            span = table.span(row, "system")
            faults.error("another-device", message, span, help="give each device a table of its own")


def _first_of_each(table: CsvTable, column: str) -> Iterator[tuple[str, int]]:
    seen: set[str] = set()
    for row, cells in enumerate(table.rows):
        text = cells[column].strip()
        if text not in seen:
            seen.add(text)
            yield text, row
