"""`apply-plan`: a plan.json written by hand becomes ops, and one that is not of its form is refused."""

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdsl.dialects.builtin import ModuleOp

import dovetail
from dovetail.ir.diagnostics import InputError
from dovetail.ir.plan import PlaceOp, PlanOp, PoolOp, TransferOp, plan_of
from dovetail.ir.read.graph import read_graph
from dovetail.ir.text import parse_module
from dovetail.ir.verify import verify_module
from dovetail.passes import run_passes, run_pipeline
from dovetail.passes.apply_plan import ApplyPlanPass, apply_plan

CASES = Path(__file__).parents[1] / "cases"
PLAN: dict[str, Any] = json.loads((CASES / "plan_voice.json").read_text())


@cache
def _partitioned() -> ModuleOp:
    module = parse_module((CASES / "agent_voice.mlir").read_text(), "graph.mlir")
    run_pipeline(module)
    return module


def partitioned() -> ModuleOp:
    return _partitioned().clone()


def applied(plan: dict[str, Any]) -> PlanOp:
    module = partitioned()
    apply_plan(module, plan)
    verify_module(module, "the module")
    found = plan_of(module)
    assert found is not None
    return found


def changed(path: str, value: object) -> dict[str, Any]:
    """PLAN with `value` at `path`, or without it where `value` is `...`."""
    plan = copy.deepcopy(PLAN)
    *way, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    at: Any = plan
    for key in way:
        at = at[key]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return plan


def test_the_pass_writes_what_the_file_says() -> None:
    module = partitioned()
    run_passes(module, [ApplyPlanPass(str(CASES / "plan_voice.json"))])
    expected = parse_module((CASES / "plan_voice.mlir").read_text(), "plan.mlir")
    assert module.is_structurally_equivalent(expected)


def test_pools() -> None:
    first, second = applied(PLAN).of_type(PoolOp)
    assert (first.sym_name.data, first.device.data) == ("p1", "h100")
    keys = ("replicas", "tp", "pp", "ep", "dp", "max_batch")
    assert [str(first.attributes[key]) for key in keys] == [f"{n} : i64" for n in (2, 2, 1, 1, 1, 8)]
    assert (second.sym_name.data, second.device.data) == ("p2", "host")


def test_placements() -> None:
    places = {place.piece.string_value(): place for place in applied(PLAN).of_type(PlaceOp)}
    assert {piece: place.pool.string_value() for piece, place in places.items()} == {
        "hear.run": "p1",
        "say.run": "p2",
        "search.run": "p2",
        "think.decode": "p1",
        "think.prefill": "p1",
    }
    decode = places["think.decode"]
    assert decode.share.value.data == 1.0
    assert decode.latency_s is not None
    assert decode.latency_s.value.data == 4.5


def test_transfers() -> None:
    first, _ = applied(PLAN).of_type(TransferOp)
    assert (first.source.string_value(), first.target.string_value()) == ("think.prefill", "think.decode")
    assert (first.bytes.value.data, first.latency_s.value.data) == (327_680_000.0, 0.011)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("pools", ..., "the plan lacks the field 'pools'"),
        ("pools.0.parallel.tp", ..., "the plan lacks the field 'tp'"),
        ("pools.0.id", 5, "`id` is 5, not a name"),
        ("pools.0.replicas", 1.5, "`replicas` is 1.5, not a whole number"),
        ("pools.0.max_batch", True, "`max_batch` is True, not a whole number"),
        ("pools.0.max_batch", 0, "(C1) `max_batch` of `p1` is under 1"),
        ("pools.1.id", "p1", 'Redefinition of symbol "p1"'),
        ("placements", {}, "the plan places nothing; its status is `optimal`"),
        ("placements", 3, "the plan is not of the form of plan.json"),
        ("placements.0", [], "the plan is not of the form of plan.json"),
        ("placements.1", ..., "(C3) the shares of `say.run` sum to 0, not 1"),
        ("placements.1.share", 0.25, "(C3) the shares of `say.run` sum to 0.25, not 1"),
        ("placements.1.share", "1", "`share` is '1', not a number"),
        ("placements.1.share", float("nan"), "`share` is nan, not a number"),
        ("placements.1.piece", "sing.run", "(C1) there is no `plan.piece` called `sing.run`"),
        ("placements.1.pool", "p9", "(C1) there is no `plan.pool` called `p9`"),
        ("placements.1.when", 5, "`when` is 5, not a name"),
        ("transfers.0.bytes", -1, "(C2) `bytes` must not be negative"),
        ("transfers.0.to", "nowhere", "(C1) there is no `plan.piece` called `nowhere`"),
    ],
)
def test_a_plan_that_is_not_one_is_refused(path: str, value: object, says: str) -> None:
    with pytest.raises(InputError) as caught:
        applied(changed(path, value))
    assert says in str(caught.value)


def test_no_value_anywhere_in_a_plan_escapes_as_another_error() -> None:
    refused = 0
    for path in (f"{key}.0.{field}" for key in ("pools", "placements", "transfers") for field in PLAN[key][0]):
        for value in (None, "x", -1, [], {}, ...):
            try:
                applied(changed(path, value))
            except InputError:
                refused += 1
    assert refused > 50


def test_a_module_without_pieces_is_refused() -> None:
    module = parse_module((CASES / "agent_voice.mlir").read_text(), "graph.mlir")
    with pytest.raises(InputError, match="needs the pieces that `partition-pieces` adds"):
        apply_plan(module, PLAN)


@pytest.mark.parametrize("content", [None, "{", "\x00"], ids=["absent", "cut off", "no JSON"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "plan.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=r"cannot read the plan `.*plan\.json`"):
        run_passes(partitioned(), [ApplyPlanPass(str(file))])


def test_what_the_planner_answers_is_written_as_it_is() -> None:
    example = CASES.parents[1] / "examples" / "table3"
    plan = json.loads(dovetail.plan(example).to_json())
    module = read_graph(example).module
    run_pipeline(module)
    apply_plan(module, plan)
    verify_module(module, "the module")
    found = plan_of(module)
    assert found is not None
    places = {place.piece.string_value(): place.pool.string_value() for place in found.of_type(PlaceOp)}
    assert places == {place["piece"]: place["pool"] for place in plan["placements"]}
