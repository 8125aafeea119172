"""Reads the shapes of operators, as loop nests, from the file that a scratchpad problem was read from."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path

from ....ir.diagnostics import Diagnostics
from ....ir.source import SourceFile, Span
from ..problem import ScratchpadProblem
from .attributes import Wrong, nest_of
from .nest import Nest


def read_nests(path: str | PathLike[str], problem: ScratchpadProblem, parameters: bool = False) -> dict[str, Nest]:
    """
    The loop nests of operators by name, those without shapes left out.

    `problem` is what `read_problem` made of the same file with the same `parameters`. Tensor graphs have shapes under
    `attributes` (see `attributes.py`), networks in their types. InputError where attributes do not agree with the sizes
    of tensors.
    """
    path = Path(path)
    if path.suffix == ".json":
        return _of_graph(path, problem)
    from ..read_network import lowered_network
    from .networks import nests_of_module

    return nests_of_module(lowered_network(path).module, problem, parameters)


def _of_graph(path: Path, problem: ScratchpadProblem) -> dict[str, Nest]:
    source = SourceFile(str(path), path.read_text(encoding="utf-8"))
    faults, found = Diagnostics(), {}
    for op in json.loads(source.text)["ops"]:
        try:
            nest = nest_of(problem, op)
        except Wrong as error:
            faults.error("attributes", f"operator `{op['name']}`: {error}", _place(source, op["name"]))
            continue
        if nest is not None:
            found[op["name"]] = nest
    faults.raise_if_errors()
    return found


def _place(source: SourceFile, name: str) -> Span:
    """Where the operator's name first stands in the text."""
    quoted = json.dumps(name, ensure_ascii=False)
    at = max(0, source.text.find(quoted))
    start = source.text.rfind("\n", 0, at) + 1
    return Span(source, source.text.count("\n", 0, at) + 1, at - start + 1, len(quoted))
