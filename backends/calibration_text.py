"""What a calibration found, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..costmodel.text_table import table


def calibration_text(document: Mapping[str, Any]) -> str:
    """Errors before and after, and the coefficients that moved."""
    start = document["start"]
    own = start["quality"] == "fitted"
    begins = "its own fit" if own else f"the fit of the devices that are most alike, first {start['nearest']}"
    head = f"{document['device']} by {document['source']} ({document['date']}), starting from {begins}\n"
    rest = "".join(f"\n{_found(found)}" for found in document["found"])
    if "written" in document:
        rest += f"\nwritten to {document['written']}: give it as --catalogue to plan, estimate and devices\n"
    elif any(found["kept"] for found in document["found"]):
        rest += "\nnot kept: -o FILE writes it to a catalogue of yours\n"
    return head + rest


def _found(found: Mapping[str, Any]) -> str:
    cell = " ".join(found[key] for key in ("model", "engine", "precision") if key in found)
    title = f"{found['table']}{f' of {cell}' if cell else ''}, {found['rows']} rows"
    name = "time between tokens" if cell else "latency"
    lines = [(name, f"{found['error_before']:.1%}", f"{found['error_after']:.1%}")]
    if "ttft_error_before" in found:
        first = (f"{found['ttft_error_before']:.1%}", f"{found['ttft_error_after']:.1%}")
        lines.append(("time to first token", *first))
    errors = table(("median error", "before", "after (rows left out of the fit)"), lines)
    if not found["kept"]:
        return (
            f"{title}\n{errors}nothing is taken from it: rows left out of the fit come out no nearer than without it\n"
        )
    moved = [
        (kernel, coefficient, f"{each['before']:.4g}", f"{each['after']:.4g}", each["quality"])
        for kernel, coefficients in found["fitted"].items()
        for coefficient, each in coefficients.items()
    ]
    return f"{title}\n{errors}\n{table(('of', 'coefficient', 'before', 'after', 'mark'), moved, left=True)}"
