"""`dovetail estimate`: the cost model alone, for the rows of a table."""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .arguments import add_catalogue
from .terminal import coloured

if TYPE_CHECKING:
    from ..costmodel.device import Device
    from ..ir.read.csv_table import CsvTable

Answer = Mapping[str, Sequence[str]]
"""the columns that are added, each with a text for every row; `error` among them"""
KINDS: dict[str, Callable[[str, Device | None], tuple[CsvTable, Answer]]] = {}
"""what answers a file, by kind of table: (path, device) -> the table as read, and what is added"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=sorted(KINDS), help="what the rows are")
    parser.add_argument("table", metavar="IN.csv", help="rows in the columns of the calibration data")
    parser.add_argument("-o", "--output", metavar="OUT.csv", required=True, help="the rows, and what is predicted")
    parser.add_argument("--device", metavar="D", help="a device of the catalogue, on which operators run")
    add_catalogue(parser)
    parser.set_defaults(do=do)


def do(arguments: argparse.Namespace) -> int:
    """Answer every row; rows that cannot be answered say why in their `error`, and are counted on stderr."""
    from ..driver import with_catalogue

    with with_catalogue(arguments.catalogue):
        device = _device(arguments.device) if arguments.device else None
        table, answer = KINDS[arguments.kind](arguments.table, device)
    _write(arguments.output, table, answer)
    errors = answer["error"]
    wrong = [index for index, error in enumerate(errors) if error]
    for index in wrong[:SHOWN]:
        print(coloured(_fault(table, index, errors[index])) + "\n", file=sys.stderr)
    left = f", {len(wrong)} of them with an error" if wrong else ""
    print(f"{arguments.output}: {len(errors)} rows{left}", file=sys.stderr)
    return 0


SHOWN = 5
"""faulty rows that are shown on stderr; all stand in the file"""


def _device(name: str) -> Device:
    from ..costmodel.hardware import find_device, load_devices
    from ..ir.diagnostics import Diagnostic, InputError, did_you_mean

    device = find_device(name)
    if device is None:
        help = did_you_mean(name.lower().replace("_", "-"), load_devices()) or "`dovetail devices` lists them"
        raise InputError([Diagnostic("unknown-device", f"`{name}` is no device of the catalogue", help=help)])
    return device


def _fault(table: CsvTable, row: int, error: str) -> str:
    """The error of a row as text, the cell that it names underlined."""
    from ..ir.diagnostics import Diagnostic, Label

    column = error.split("`")[1] if error.startswith("`") else ""
    return Diagnostic("row", error, (Label(table.span(row, column)),)).render()


def _write(path: str, table: CsvTable, answer: Answer) -> None:
    """The table's columns and the answer's after them; InputError where that cannot be written."""
    from ..ir.diagnostics import Diagnostic, InputError

    kept = [name for name in table.columns if name not in answer]
    added = zip(*answer.values(), strict=True)
    rows = ([*(row[name] for name in kept), *more] for row, more in zip(table.rows, added, strict=True))
    try:
        _write_csv(Path(os.path.realpath(path)), [*kept, *answer], rows)
    except OSError as error:
        message = f"cannot write `{path}`: {error.strerror}"
        raise InputError([Diagnostic("unwritable", message, help="name a file in a folder that is there")]) from error


def _write_csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Written aside and renamed, so that no half file is left; what is no file (/dev/stdout, a pipe) as it comes."""
    renamed = path.is_file() or not path.exists()
    aside = path.with_name(f"{path.name}.part") if renamed else path
    try:
        with aside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(head)
            writer.writerows(rows)
        if renamed:
            os.replace(aside, path)
    finally:
        if renamed:
            aside.unlink(missing_ok=True)


def _operators(kind: str) -> Callable[[str, Device | None], tuple[CsvTable, Answer]]:
    def answer(path: str, device: Device | None) -> tuple[CsvTable, Answer]:
        from ..costmodel.operators.estimate import KINDS as OPERATORS
        from ..costmodel.operators.estimate import predict
        from ..ir.diagnostics import Diagnostic, InputError, Label
        from ..ir.read.csv_table import read_csv
        from ..ir.source import Span

        needed = OPERATORS[kind].columns
        table = read_csv(path, needed)
        if device is None and "system" not in table.columns:
            message = "give --device: the rows name no `system`"
            raise InputError([Diagnostic("no-device", message, (Label(Span(table.source, 1, 1)),))])
        said = predict(kind, table.rows, device)
        return table, {
            "predicted_ms": ["" if p.ms is None or i in table.faults else f"{p.ms:.6g}" for i, p in enumerate(said)],
            "quality": ["" if i in table.faults else p.quality for i, p in enumerate(said)],
            "error": [table.faults.get(i, p.error) for i, p in enumerate(said)],
        }

    return answer


KINDS.update({kind: _operators(kind) for kind in ("gemm", "attention", "comm")})


def _serving(path: str, device: Device | None) -> tuple[CsvTable, Answer]:
    from ..costmodel.serving.estimate import COLUMNS, predict
    from ..ir.read.csv_table import read_csv

    table = read_csv(path, COLUMNS)
    said = [None if i in table.faults else p for i, p in enumerate(predict(table.rows, device))]
    return table, {
        "predicted_ttft_ms": ["" if p is None or p.ttft_ms is None else f"{p.ttft_ms:.6g}" for p in said],
        "predicted_tpot_ms": ["" if p is None or p.tpot_ms is None else f"{p.tpot_ms:.6g}" for p in said],
        "fits": ["" if p is None or p.fits is None else str(p.fits).lower() for p in said],
        "quality": ["" if p is None else p.quality for p in said],
        "error": [table.faults[i] if p is None else p.error for i, p in enumerate(said)],
    }


KINDS["serving"] = _serving
