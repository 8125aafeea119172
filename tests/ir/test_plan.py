"""Each numbered constraint of the `plan` dialect is broken once, by one edit of a module that verifies."""

import re
from pathlib import Path

import pytest

from dovetail.ir.diagnostics import InputError
from dovetail.ir.plan import PieceOp, PlaceOp, Plan, PoolOp, TransferOp, plan_of
from dovetail.ir.text import parse_module
from dovetail.ir.verify import verify_module

CASES = Path(__file__).parents[1] / "cases"
VOICE = (CASES / "plan_voice.mlir").read_text()
SAY = '"plan.place"() {piece = @say.run, pool = @p2, share = 1.000000e+00'

BROKEN = [
    ("plan.plan C1", 'graph = @"voice-agent"', "graph = @other", "there is no `agent.graph` called `other`"),
    ("plan.plan C2", '    "plan.piece"() {sym_name = "say.run".*\n', "", "node `say` has no piece"),
    ("plan.plan C3 none", '    "plan.place"() {piece = @say.run.*\n', "", "the shares of `say.run` sum to 0, not 1"),
    ("plan.plan C3 half", SAY, SAY.replace("1.000000e+00", "5.0e-01"), "the shares of `say.run` sum to 0.5, not 1"),
    ("plan.piece C1 id", 'sym_name = "say.run"', 'sym_name = "says.run"', "`says.run` is not the id of a piece"),
    ("plan.piece C2", "op = @say", "op = @hear", "`hear` is not the op of `say.run`"),
    ("plan.piece C2 part", 'think.decode", op = @think.decode', 'think.decode", op = @think.prefill', "is not the op"),
    ("plan.pool C1 replicas", "replicas = 2", "replicas = -1", "`replicas` of `p1` is negative"),
    ("plan.pool C1 tp", "replicas = 2 : i64, tp = 2", "replicas = 2 : i64, tp = 0", "`tp` of `p1` is under 1"),
    ("plan.pool C1 max_batch", "max_batch = 16", "max_batch = 0", "`max_batch` of `p2` is under 1"),
    ("plan.place C1 piece", "piece = @say.run", "piece = @sing.run", "no `plan.piece` called `sing.run`"),
    (
        "plan.place C1 pool",
        "piece = @say.run, pool = @p2",
        "piece = @say.run, pool = @p3",
        "`plan.pool` called `p3`",
    ),
    ("plan.place C2", SAY, SAY.replace("1.000000e+00", "0.0"), "the share of `say.run` must be over 0"),
    ("plan.transfer C1", "from = @search.run", "from = @p1", "no `plan.piece` called `p1`"),
    ("plan.transfer C2", "bytes = 3.276800e+08", "bytes = -1.0", "`bytes` must not be negative"),
    ("plan.transfer C2 latency", "latency_s = 1.100000e-02", "latency_s = -1.0", "`latency_s` must not be negative"),
]
"""(constraint, what is replaced, by what, what the message says)."""


@pytest.mark.parametrize(("constraint", "old", "new", "says"), BROKEN, ids=[case[0] for case in BROKEN])
def test_constraint(constraint: str, old: str, new: str, says: str) -> None:
    pattern = re.escape(old).replace(r"\.\*", ".*").replace(r"\\n", "\n")
    text, found = re.subn(pattern, lambda _: new, VOICE, count=1)
    assert found == 1
    with pytest.raises(InputError) as caught:
        verify_module(parse_module(text, "plan.mlir"), "the input")
    message = str(caught.value)
    assert f"({constraint.split()[1]})" in message
    assert says in message


def test_every_numbered_constraint_is_broken_above() -> None:
    numbered = {f"{op.name} {n}" for op in Plan.operations for n in re.findall(r"\((C\d+)\)", op.__doc__ or "")}
    assert numbered == {" ".join(case[0].split()[:2]) for case in BROKEN}


def test_the_case_verifies_and_holds_what_a_plan_holds() -> None:
    module = parse_module(VOICE, "plan.mlir")
    verify_module(module, "the input")
    plan = plan_of(module)
    assert plan is not None
    counts = [len(list(plan.of_type(kind))) for kind in (PieceOp, PoolOp, PlaceOp, TransferOp)]
    assert counts == [5, 2, 5, 2]


def test_a_piece_may_be_shared_between_pools() -> None:
    halves = "\n    ".join(
        f'"plan.place"() {{piece = @say.run, pool = @{pool}, share = 5.0e-01 : f64}} : () -> ()'
        for pool in ("p1", "p2")
    )
    text = re.sub(r'"plan.place"\(\) \{piece = @say.run.*', halves, VOICE)
    verify_module(parse_module(text, "plan.mlir"), "the input")


def test_a_module_without_a_plan_has_none() -> None:
    assert plan_of(parse_module("builtin.module {}", "empty.mlir")) is None
