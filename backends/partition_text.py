"""How a network is shared among devices, for people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import groupby
from typing import Any


def partition_text(document: Mapping[str, Any]) -> str:
    """The plan for people."""
    lines = [f"{document['model']} on {document['devices']} x {document['device']}: {document['status']}", ""]
    lines.append(f"{'':24}{'time':>12}{'moves':>12}{'memory of one':>16}")
    titles = {"plan": "this plan", "each_op_alone": "each op by itself", "replicated": "all on every device"}
    for name, title in titles.items():
        row = document[name]
        fits = "" if row.get("fits", True) else "  does not fit"
        lines.append(f"{title:24}{_ms(row['seconds'])}{_ms(row['moves_s'])}{row['peak_bytes'] / 1e9:13.3f} GB{fits}")
    lines += ["", f"{'collective':24}{'count':>12}{'time':>12}{'bytes given':>16}"]
    for row in document["collectives"]:
        lines.append(f"{row['kind']:24}{row['count']:12}{_ms(row['seconds'])}{row['bytes'] / 1e6:13.3f} MB")
    lines += ["", f"{'weight':56}{'state':>8}{'on each':>14}"]
    alike = sorted((_layer_free(w["name"]), w["state"], w["bytes"]) for w in document["weights"])
    for (name, state, size), same in groupby(alike):
        count = len(list(same))
        times = f" x {count}" if count > 1 else ""
        lines.append(f"{name + times:56}{state:>8}{size / 1e6:11.3f} MB")
    return "\n".join(lines) + "\n"


def pipeline_text(document: Mapping[str, Any]) -> str:
    """The pipeline for people."""
    head = f"{document['model']} on {document['devices']} x {document['device']}, as a pipeline: {document['status']}"
    period = f"a result every {_ms(document['period_s']).strip()}, the first after {_ms(document['first_s']).strip()}"
    lines = [head, period, "", f"{'stage':8}{'ops':>8}{'time':>12}{'receives':>16}{'memory':>14}"]
    for i, s in enumerate(document["stages"]):
        sizes = f"{s['received_bytes'] / 1e6:13.3f} MB{s['bytes'] / 1e9:11.3f} GB"
        lines.append(f"{i:<8}{s['end'] - s['first']:8}{_ms(s['seconds'])}{sizes}")
    return "\n".join(lines) + "\n"


def _layer_free(name: str) -> str:
    """A weight's name with `*` for numbers between dots: layers that are alike are listed once."""
    return re.sub(r"(?<=\.)\d+(?=\.)|^\d+(?=\.)", "*", name)


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:9.3f} ms"
