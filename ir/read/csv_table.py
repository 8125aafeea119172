"""CSV files with a header: columns by name, and where each cell stands, so that faults can be underlined."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..diagnostics import Diagnostic, InputError, Label, did_you_mean
from ..source import SourceFile, Span


@dataclass(frozen=True)
class CsvTable:
    """A header and its rows, as text."""

    source: SourceFile
    columns: tuple[str, ...]
    rows: Sequence[Mapping[str, str]]
    """cells by column; a cell that the line lacks is empty"""
    lines: Sequence[int]
    """on which each row ends, from 1"""
    faults: Mapping[int, str]
    """what is wrong with the form of a row, by its index"""

    def span(self, row: int, column: str) -> Span:
        """Where the cell of that row stands; its whole line where quotes make that unclear."""
        number = self.lines[row]
        text = self.source.line(number).rstrip("\r")
        cells = text.split(",")
        at = self.columns.index(column) if column in self.columns else len(cells)
        if '"' in text or at >= len(cells):
            return Span(self.source, number, 1, max(1, len(text)))
        return Span(self.source, number, sum(len(cell) + 1 for cell in cells[:at]) + 1, max(1, len(cells[at])))


def read_csv(path: str | Path, needed: Collection[str] = ()) -> CsvTable:
    """The table in the file; InputError for one that cannot be read, or whose header lacks a column of `needed`."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError([Diagnostic("unreadable", f"cannot read `{path}`: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise InputError([Diagnostic("unreadable", f"`{path}` is no UTF-8 text")]) from error
    return parse_csv(SourceFile(str(path), text), needed)


def parse_csv(source: SourceFile, needed: Collection[str] = ()) -> CsvTable:
    """As `read_csv`, of a text at hand."""
    reader = csv.reader(io.StringIO(source.text, newline=""))
    rows: list[dict[str, str]] = []
    lines: list[int] = []
    faults: dict[int, str] = {}
    try:
        columns = tuple(cell.strip() for cell in next(reader, []))
        _check_header(source, columns, needed)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(columns):
                faults[len(rows)] = f"{len(cells)} cells under {len(columns)} columns"
            rows.append(dict(zip(columns, [*cells, *[""] * len(columns)], strict=False)))
            lines.append(reader.line_num)
    except csv.Error as error:
        where = Label(Span(source, max(1, reader.line_num), 1))
        raise InputError([Diagnostic("csv", f"this is no CSV: {error}", (where,))]) from error
    return CsvTable(source, columns, rows, lines, faults)


def _check_header(source: SourceFile, columns: Sequence[str], needed: Collection[str]) -> None:
    """InputError with every column that is missing or there twice."""
    whole = Label(Span(source, 1, 1, max(1, len(source.line(1)))))
    if not any(columns):
        raise InputError([Diagnostic("no-header", f"`{source.name}` has no header", (whole,))])
    twice = sorted({name for name in columns if columns.count(name) > 1})
    found = [Diagnostic("column-twice", f"the column `{name}` is there twice", (whole,)) for name in twice]
    for name in needed:
        if name not in columns:
            spare = [column for column in columns if column not in needed]
            help = did_you_mean(name, spare) or f"needed: {', '.join(needed)}"
            found.append(Diagnostic("missing-column", f"the column `{name}` is missing", (whole,), help))
    if found:
        raise InputError(found)
