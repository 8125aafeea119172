"""The errors of a program, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def verify_text(document: Mapping[str, Any]) -> str:
    """What `dovetail compile --verify` prints: a row for each output of each piece, and of the whole."""
    lines = [f"errors against float64, inputs {document['inputs']}", "", _row(*HEAD)]
    for piece in document["pieces"]:
        lines += _piece(piece["piece"], piece) + _growth(piece)
        lines.append(f"    by {piece['executor']}")
    lines += ["", *_piece("whole", document["whole"])]
    missed = [piece["piece"] for piece in document["pieces"] if not piece["holds"]]
    missed += [] if document["whole"]["holds"] else ["the whole"]
    said = f"out of tolerance: {', '.join(missed)}" if missed else "all within tolerance"
    return "\n".join([*lines, "", said]) + "\n"


HEAD = ("piece", "output", "precision", "absolute", "relative", "by rounding", "SNR", "tolerance", "")
WIDTHS = (12, 24, 10, 11, 11, 13, 10, 11, 0)


def _row(*cells: str) -> str:
    left = "".join(f"{cell:{width}}" for cell, width in zip(cells[:3], WIDTHS[:3], strict=True))
    right = "".join(f"{cell:>{width}}" for cell, width in zip(cells[3:8], WIDTHS[3:8], strict=True))
    return f"{left}{right}  {cells[8]}".rstrip()


def _piece(name: str, piece: Mapping[str, Any]) -> list[str]:
    rows = []
    for row in piece["outputs"]:
        relative, ideal = (_ratio(row, key) for key in ("relative_error", "by_rounding"))
        snr = "exact" if not row["absolute_error"] else "-" if row["snr_db"] is None else f"{row['snr_db']:.1f} dB"
        tolerance = f"{row['tolerance']:g}" if row["tolerance"] else "exact"
        cells = (name, row["output"][:23], piece["precision"], f"{row['absolute_error']:.2e}", relative, ideal, snr)
        rows.append(_row(*cells, tolerance, _verdict(row)))
    return rows


def _verdict(row: Mapping[str, Any]) -> str:
    if row["holds"]:
        return "holds"
    if not row["nonfinite_alike"]:
        return "MISSES: not finite elsewhere"
    # The precision is too narrow for the network: no program that rounds to it would hold.
    return "MISSES, as rounding alone does" if (row.get("by_rounding") or 0.0) > row["tolerance"] else "MISSES"


def _ratio(row: Mapping[str, Any], key: str) -> str:
    if key not in row:
        return "-"
    return "no scale" if row[key] is None else f"{row[key]:.2e}"


def _growth(piece: Mapping[str, Any]) -> list[str]:
    """The op where errors grow most, of those along the way."""
    if "grows_most" not in piece:
        return []
    most = piece["grows_most"]
    times = "to what is not finite" if most["growth"] is None else f"{most['growth']:.3g} times"
    place = f" at {most['place']}" if most["place"] else ""
    return [f"    of {len(piece['along'])} tensors along the way errors grow most, {times}, at `{most['op']}`{place}"]
