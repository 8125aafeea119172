"""`partition-pieces`: the text it leaves, and pieces whose names do not depend on the order in the file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dovetail.ir.agent import graph_of
from dovetail.ir.diagnostics import InputError
from dovetail.ir.plan import PieceOp, PlanOp, plan_of
from dovetail.ir.text import parse_module, print_module
from dovetail.ir.verify import verify_module
from dovetail.passes import run_pipeline
from dovetail.passes.partition import partition_pieces

CASES = Path(__file__).parents[1] / "cases"
VOICE = (CASES / "agent_voice.mlir").read_text()
KINDS = (CASES / "agent_kinds.mlir").read_text()


def pieces(text: str) -> list[tuple[str, str, str, str]]:
    module = parse_module(text, "graph.mlir")
    run_pipeline(module)
    plan = plan_of(module)
    assert plan is not None
    return [
        (piece.sym_name.data, piece.op.string_value(), piece.node.data, piece.part.data)
        for piece in plan.of_type(PieceOp)
    ]


def test_text(golden: Callable[[str, str], None]) -> None:
    module = parse_module(VOICE, "graph.mlir")
    run_pipeline(module)
    plan = plan_of(module)
    assert plan is not None
    text = print_module(module)
    golden("passes/partition.mlir", text[text.index('  "plan.plan"') :])


def test_a_call_has_two_pieces_and_every_other_node_one() -> None:
    assert pieces(VOICE) == [
        ("hear.run", "hear", "hear", "run"),
        ("say.run", "say", "say", "run"),
        ("search.run", "search", "search", "run"),
        ("think.decode", "think.decode", "think", "decode"),
        ("think.prefill", "think.prefill", "think", "prefill"),
    ]


@pytest.mark.parametrize("text", [VOICE, KINDS], ids=["voice", "kinds"])
def test_the_order_in_the_file_changes_nothing(text: str) -> None:
    first, *body, last = text.rstrip("\n").splitlines()
    assert pieces("\n".join([first, *reversed(body), last])) == pieces(text)


def test_the_graph_is_left_as_it_is() -> None:
    module = parse_module(KINDS, "graph.mlir")
    partition_pieces(module)
    assert str(graph_of(module)) == str(graph_of(parse_module(KINDS, "graph.mlir")))


def test_each_graph_of_a_module_has_a_plan_beside_it() -> None:
    module = parse_module(KINDS + KINDS.replace('"kinds"', '"others"'), "graph.mlir")
    partition_pieces(module)
    verify_module(module, "the module")
    plans = [op for op in module.walk() if isinstance(op, PlanOp)]
    assert [(plan.sym_name.data, plan.graph.string_value()) for plan in plans] == [
        ("kinds.plan", "kinds"),
        ("others.plan", "others"),
    ]


def test_a_call_that_is_not_lowered_is_refused() -> None:
    with pytest.raises(InputError, match="`think`, which `lower-llm-call` must split first"):
        partition_pieces(parse_module(VOICE, "graph.mlir"))


def test_a_module_is_partitioned_once() -> None:
    module = parse_module(KINDS, "graph.mlir")
    partition_pieces(module)
    with pytest.raises(InputError, match="has a plan already"):
        partition_pieces(module)
