"""Arguments of another kind are one error at the door, with an example of what is taken, and no traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.ir.given import KINDS, OBJECTIVES, SOLVERS
from dovetail.planner.placement.search import engine
from dovetail.planner.posing import goals

EXAMPLE = Path(__file__).parents[1] / "examples" / "classifier"
X = np.ones((2, 3), np.float32)
NAN = float("nan")
OF_COMPILE: dict[str, list[Any]] = {
    "fleet": [3, b"fleet.yaml", {"devices": {}}],
    "example_inputs": [5, None, "x", X, {"x": X}],
    "sizes": [[2], "batch", {3: 2}, {"batch": True}, {"batch": 2.5}],
    "allow_python": [3, "module:function", [3]],
    "placement": [3, "gpu", True, [3]],
    "precision": [3, ["bf16"], {"matmul": 3}, {3: "bf16"}],
    "autotune": ["yes", 0, None],
}
OF_PLAN: dict[str, list[Any]] = {
    "fleet": [3],
    "objective": [3, "speed"],
    "time_limit_s": ["a", -1, NAN, True],
    "solver": [3, "cplex", None],
    "on_progress": [3],
    "sizes": [[2]],
    "catalogue": [3],
    "previous": [3, dovetail.Plan],
    "over_s": ["x", -1],
    "lost": [3, ["h100"], {"h100": "all"}, {"h100": 0}],
    "gap": ["x", -1, NAN, 1, True],
}


def cases(table: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    return [(name, value) for name, values in table.items() for value in values if value is not None or name in NEVER]


NEVER = {name for name, kind in KINDS.items() if not kind.optional}


def held(error: dovetail.InputError, function: str, name: str) -> None:
    (fault,) = error.diagnostics
    assert fault.id == "argument"
    assert fault.message.startswith(f"`{name}` of `dovetail.{function}` must be {KINDS[name].shown}, not ")
    assert fault.help == f"for example `{name}={KINDS[name].example}`"


@pytest.mark.parametrize(("name", "value"), cases(OF_COMPILE))
def test_compile(name: str, value: Any) -> None:
    with pytest.raises(dovetail.InputError) as raised:
        dovetail.compile(EXAMPLE / "classifier.onnx", **{name: value})
    held(raised.value, "compile", name)


@pytest.mark.parametrize(("name", "value"), cases(OF_PLAN))
def test_plan(name: str, value: Any) -> None:
    with pytest.raises(dovetail.InputError) as raised:
        dovetail.plan(EXAMPLE / "graph.yaml", **{name: value})
    held(raised.value, "plan", name)


@pytest.mark.parametrize("graph", [3, None, b"graph.yaml", ["graph.yaml"]])
def test_graphs_and_files(graph: Any) -> None:
    with pytest.raises(dovetail.InputError) as raised:
        dovetail.plan(EXAMPLE / "graph.yaml", graph)
    held(raised.value, "plan", "graph")
    with pytest.raises(dovetail.InputError) as raised:
        dovetail.check(graph)
    held(raised.value, "check", "file")


def test_folders() -> None:
    program = dovetail.compile(lambda x: x + 1, example_inputs=(X,))
    with pytest.raises(dovetail.InputError) as raised:
        program.save(3)  # type: ignore[arg-type]
    held(raised.value, "Program.save", "folder")


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(dovetail.InputError) as raised:
        dovetail.compile("no-such-file.onnx", precision=3, fleet=3)  # type: ignore[arg-type]
    assert len(raised.value.diagnostics) == 2


def test_what_is_named_is_what_there_is() -> None:
    assert OBJECTIVES == goals.GOALS
    assert SOLVERS == engine.SOLVERS
    assert KINDS["previous"].holds(dovetail.Plan({}, Path()))
