"""`dovetail check` on plans of `dovetail scratchpad`: they hold by themselves, and tampered ones are rejected."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dovetail import cli
from dovetail.check_driver import check
from dovetail.ir.digest import digest
from dovetail.planner.scratchpad.check_document import check_document

Json = dict[str, Any]
SHAPE = {"m": 64, "n": 64, "k": 64}
GRAPH = {
    "ops": [
        {"name": "split", "type": "Relu", "inputs": ["x"], "outputs": ["a"]},
        {"name": "up", "type": "MatMul", "inputs": ["a", "w"], "outputs": ["h"], "attributes": SHAPE},
        {"name": "act", "type": "Relu", "inputs": ["h"], "outputs": ["g"]},
        {"name": "down", "type": "MatMul", "inputs": ["g", "v"], "outputs": ["f"], "attributes": SHAPE},
        {"name": "add", "type": "Add", "inputs": ["a", "f"], "outputs": ["y"]},
    ],
    "tensor_bytes_int8": dict.fromkeys(("x", "a", "w", "h", "g", "v", "f", "y"), 4096),
    "graph_outputs": ["y"],
    "parameters": ["w", "v"],
}
WAYS: dict[str, list[str]] = {
    "plain": ["--size", "12KiB", "--params"],
    "without parameters": ["--size", "12KiB"],
    "aligned": ["--size", "16KiB", "--params", "--align", "4096"],
    "in place": ["--size", "12KiB", "--params", "--in-place"],
    "in tiles": ["--size", "5000", "--params", "--tile"],
    "levels": ["--size", "12KiB", "--params", "--level", "sram:8KiB:4GB/s", "--level", "dram::1GB/s"],
    "one level": ["--size", "12KiB", "--params", "--level", "dram::1GB/s", "--objective", "makespan"],
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("check") / "net.json"
    file.write_text(json.dumps(GRAPH))
    return file


@pytest.fixture(scope="module")
def planned(model: Path) -> Callable[[str], Json]:
    """The document of a plan, by a key of `WAYS`."""
    found: dict[str, Json] = {}

    def plan(way: str) -> Json:
        if way not in found:
            out = model.parent / way
            assert cli.main(["scratchpad", str(model), *WAYS[way], "-o", str(out)]) == 0
            found[way] = json.loads((out / "plan.json").read_text())
        return copy.deepcopy(found[way])

    return plan


@pytest.mark.parametrize("way", WAYS)
def test_what_is_written_holds_by_itself_and_is_of_its_model(
    planned: Callable[[str], Json], model: Path, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, out = planned(way), str(model.parent / way)
    capsys.readouterr()
    assert check_document(plan) == []
    assert cli.main(["check", out]) == 0
    assert cli.main(["check", f"{out}/plan.json", "--graph", str(model)]) == 0
    assert capsys.readouterr().out == f"{out}: ok\n{out}/plan.json: ok\n"


@pytest.mark.parametrize("way", WAYS)
def test_the_plan_of_another_graph_is_told(planned: Callable[[str], Json], model: Path, way: str) -> None:
    planned(way)
    other = model.parent / "other.json"
    for change in ({"name": "add", "type": "Add", "inputs": ["x", "f"], "outputs": ["y"]}, None):
        ops = [*GRAPH["ops"][:4], change or GRAPH["ops"][4]]  # type: ignore[index]
        sizes = GRAPH["tensor_bytes_int8"] if change else GRAPH["tensor_bytes_int8"] | {"extra": 1}  # type: ignore[operator]
        other.write_text(json.dumps({**GRAPH, "ops": ops, "tensor_bytes_int8": sizes}))
        (fault,) = check(model.parent / way, graph=other)
        assert "the plan is of another graph" in fault.message


def setter(*path: Any, value: Any) -> Callable[[Json], None]:
    """Sets, deletes (`value` None) or changes (`value` callable) what stands at `path`."""

    def change(plan: Json) -> None:
        inside: Any = plan
        for key in path[:-1]:
            inside = inside[key]
        if value is None:
            del inside[path[-1]]
        else:
            inside[path[-1]] = value(inside[path[-1]]) if callable(value) else value

    return change


def resealed(change: Callable[[Json], None]) -> Callable[[Json], None]:
    """The change, with the digest of the graph made to fit it."""

    def change_and_seal(plan: Json) -> None:
        change(plan)
        plan["inputs"]["sha256"]["graph"] = digest(plan["inputs"]["graph"])

    return change_and_seal


def more(by: float) -> Callable[[float], float]:
    return lambda value: value + by


SHARED: dict[str, Callable[[Json], None]] = {
    "no inputs": setter("inputs", value=None),
    "a tensor of another size": setter("inputs", "graph", "tensors", 1, "bytes", value=more(-1)),
    "an operator renamed": setter("inputs", "graph", "operators", 0, "name", value="other"),
    "another digest": setter("inputs", "sha256", "graph", value="0" * 64),
    "no alignment": setter("inputs", "alignment_bytes", value=0),
    "a smaller scratchpad": setter("inputs", "size_bytes", value=more(-4096)),
    "a missing operator": setter("order", 0, value=None),
    "an operator twice": lambda plan: plan["order"].append(plan["order"][0]),
    "another order": lambda plan: plan["order"].reverse(),
    "an unknown key": lambda plan: plan.update(extra=1),
    "a text for a number": setter("seconds", value="soon"),
    "no number": setter("seconds", value=float("nan")),
    "time that ran backwards": setter("seconds", value=-1.0),
    "another status": setter("status", value=lambda status: {"optimal": "feasible"}.get(status, "optimal")),
}
BUFFERS: dict[str, Callable[[Json], None]] = {
    "an overlap": lambda plan: [b.update(offset=0) for b in plan["buffers"]],  # type: ignore[func-returns-value]
    "an offset beyond the end": setter("buffers", 0, "offset", value=more(1 << 20)),
    "a negative offset": setter("buffers", 0, "offset", value=-4096),
    "no buffer": setter("buffers", 0, value=None),
    "a shorter buffer": setter("buffers", 0, "bytes", value=more(-1)),
    "a buffer of nothing known": setter("buffers", 0, "tensor", value="nobody"),
    "a buffer that starts later": setter("buffers", 0, "start", value=more(1)),
    "bytes understated": setter("noncompulsory_bytes", value=more(-1)),
    "compulsory understated": setter("compulsory_bytes", value=more(-1)),
    "a bound too high": setter("lower_bound_bytes", value=more(1 << 30)),
    "a move more": lambda plan: plan["moves"].append({"step": 1, "tensor": "a", "kind": "reload", "bytes": 4096}),
    "a move of another kind": lambda plan: plan["moves"].append({"step": 1, "tensor": "a", "kind": "x", "bytes": 1}),
}
LEVELS: dict[str, Callable[[Json], None]] = {
    "an overlap": lambda plan: [h.update(offset=0) for h in plan["holds"]],  # type: ignore[func-returns-value]
    "no hold": setter("holds", 0, value=None),
    "a hold beyond the end": setter("holds", 0, "offset", value=more(1 << 20)),
    "a hold that begins late": setter("holds", 0, "from_s", value=lambda s: s + 1e-5),
    "a hold in no level": setter("holds", 0, "level", value="nowhere"),
    "a transfer less": setter("transfers", 0, value=None),
    "a transfer too fast": setter("transfers", 0, "end_s", value=lambda s: s / 2),
    "fewer bytes moved": setter("transfers", 0, "bytes", value=more(-1)),
    "a transfer to nowhere": setter("transfers", 0, "targets", value=["nowhere"]),
    "a transfer of nothing known": setter("transfers", 0, "tensor", value="nobody"),
    "a transfer twice": lambda plan: plan["transfers"].append(plan["transfers"][0]),
    "an operator too short": setter("operators", 1, "end_s", value=lambda s: s - 1e-6),
    "an operator too early": setter("operators", 1, "start_s", value=0.0),
    "a makespan understated": setter("makespan_s", value=lambda s: s * 0.9),
    "a bound above the makespan": setter("makespan_bound_s", value=lambda s: s * 2),
    "a bound below nothing": setter("makespan_bound_s", value=-1.0),
    "bytes understated": setter("borders", 0, "noncompulsory_bytes", value=more(-1)),
    "compulsory understated": setter("borders", 0, "compulsory_bytes", value=more(-1)),
    "a border less": setter("borders", 0, value=None),
    "another level": setter("inputs", "levels", -1, "bytes_per_s", value=lambda speed: speed / 2),
    "a duration less": setter("inputs", "operator_s", 0, value=None),
}
NEST = ("inputs", "graph", "operators", 1, "nest")
TILES: dict[str, Callable[[Json], None]] = {
    "an axis that is no loop": resealed(setter(*NEST, "operands", 0, "axes", 0, value="nobody")),
    "a loop renamed": resealed(setter(*NEST, "loops", 0, 0, value="nobody")),
    "a nest of no known kind": resealed(setter(*NEST, "kind", value="")),
    "an operand in another role": resealed(setter(*NEST, "operands", 0, "role", value="output")),
    "negative partial results": resealed(setter(*NEST, "operands", 0, "partial_bytes", value=-5)),
    "a negative minimum": setter("minimum_bytes", value=-5),
}
CASES = [
    *((way, name, change) for way in WAYS for name, change in SHARED.items()),
    *((way, name, change) for way in WAYS if "level" not in way for name, change in BUFFERS.items()),
    *((way, name, change) for way in WAYS if "level" in way for name, change in LEVELS.items()),
    *(("in tiles", name, change) for name, change in TILES.items()),
    ("aligned", "no multiple", setter("buffers", 0, "offset", value=more(1))),
    ("in place", "nothing is shared", setter("shares", value=None)),
    ("in tiles", "no tiles", setter("tiles", value=[])),
    ("in tiles", "a smaller tile", lambda plan: plan["tiles"][0]["tiles"].update({plan["tiles"][0]["loops"][0]: 1})),
    ("in tiles", "another nest", setter("inputs", "graph", "operators", 1, "nest", "loops", 0, 1, value=2)),
]  # fmt: skip


@pytest.mark.parametrize(("way", "name", "change"), CASES, ids=[f"{way}: {name}" for way, name, _ in CASES])
def test_a_tampered_plan_is_rejected(
    planned: Callable[[str], Json], way: str, name: str, change: Callable[[Json], None]
) -> None:
    plan = planned(way)
    change(plan)
    faults = check_document(plan)
    assert faults
    assert all(fault.severity == "error" for fault in faults)


def test_the_command_counts_faults(
    planned: Callable[[str], Json], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = planned("plain")
    plan["buffers"][0]["offset"] = -1
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    capsys.readouterr()
    assert cli.main(["check", str(tmp_path)]) == 1
    output = capsys.readouterr()
    assert output.out == f"{tmp_path}: 1 fault\n"
    assert "error[check.scratchpad]: the buffer of `x` from step 0 to 0 reaches beyond the scratchpad" in output.err


def test_a_scratchpad_plan_has_no_fleet(
    planned: Callable[[str], Json], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plan.json").write_text(json.dumps(planned("plain")))
    assert cli.main(["check", str(tmp_path), "--fleet", "fleet.yaml"]) == 1
    assert "a scratchpad plan has no fleet" in capsys.readouterr().err


def test_an_infeasible_plan_must_be_empty(model: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["scratchpad", str(model), "--size", "1", "--json"]) == 1
    plan = json.loads(capsys.readouterr().out)
    assert check_document(plan) == []
    plan["order"] = ["add"]
    assert check_document(plan)
