"""Each numbered constraint of the `llm` dialect is broken once, by one edit of a module that verifies."""

import re
from pathlib import Path

import pytest

from dovetail.ir.agent import NodeOp, graph_of
from dovetail.ir.diagnostics import InputError
from dovetail.ir.llm import DecodeOp, Llm, PrefillOp, node_and_part
from dovetail.ir.text import parse_module, print_module
from dovetail.ir.verify import verify_module
from dovetail.passes.lower_llm_call import lower_llm_calls

CASES = Path(__file__).parents[1] / "cases"


@pytest.fixture(scope="module")
def lowered() -> str:
    module = parse_module((CASES / "agent_voice.mlir").read_text(), "agent_voice.mlir")
    lower_llm_calls(module)
    return print_module(module)


PREFILL = r'("llm.prefill".*?)'
DECODE = r'("llm.decode".*?)'
TRANSFER = r'("llm.kv_transfer".*?)'
POINT = r'#agent.dist<"point", \[[^]]*\]'
ONE_HALF = '#agent.dist<"point", [5.0e-01 : f64]'

BROKEN = [
    ("llm.prefill C1", PREFILL + 'node = "think"', r'\1node = "thing"', "must be called `thing.prefill`"),
    ("llm.prefill C2", PREFILL + f"prompt_tokens = {POINT}", rf"\1prompt_tokens = {ONE_HALF}", "is under 1"),
    ("llm.prefill C3", PREFILL + "tp = 2", r"\1tp = 0", "`tp` of `think.prefill` is under 1"),
    ("llm.prefill C4", PREFILL + "cached_prefix_tokens = 1.0", r"\1cached_prefix_tokens = -1.0", "is negative"),
    ("llm.decode C1", DECODE + 'node = "think"', r'\1node = "thing"', "must be called `thing.decode`"),
    ("llm.decode C2", DECODE + f"prompt_tokens = {POINT}", rf"\1prompt_tokens = {ONE_HALF}", "is under 1"),
    ("llm.decode C3", DECODE + "tp = 2", r"\1pp = 0", "`pp` of `think.decode` is under 1"),
    ("llm.decode C4", DECODE + f"output_tokens = {POINT}", rf"\1output_tokens = {ONE_HALF}", "`output_tokens`"),
    ("llm.kv_transfer C1 from", TRANSFER + "from = @think.prefill", r"\1from = @hear", "`hear` is no `llm.prefill`"),
    ("llm.kv_transfer C1 to", TRANSFER + "to = @think.decode", r"\1to = @say", "`say` is no `llm.decode`"),
    ("llm.kv_transfer C2", TRANSFER + "bytes_per_prompt_token = 1", r"\1bytes_per_prompt_token = -1", "negative"),
]
"""(constraint, pattern that is replaced, by what, what the message says)."""


@pytest.mark.parametrize(("constraint", "old", "new", "says"), BROKEN, ids=[case[0] for case in BROKEN])
def test_constraint(lowered: str, constraint: str, old: str, new: str, says: str) -> None:
    text, found = re.subn(old, new, lowered, count=1)
    assert found == 1
    with pytest.raises(InputError) as caught:
        verify_module(parse_module(text, "graph.mlir"), "the input")
    message = str(caught.value)
    assert f"({constraint.split()[1]})" in message
    assert says in message
    assert constraint.split()[0] in message


def test_every_numbered_constraint_is_broken_above() -> None:
    numbered = {f"{op.name} {n}" for op in Llm.operations for n in re.findall(r"\((C\d+)\)", op.__doc__ or "")}
    assert numbered == {" ".join(case[0].split()[:2]) for case in BROKEN}


def test_a_transfer_joins_phases_of_one_node(lowered: str) -> None:
    other = re.search(r'\n *"llm.decode".*', lowered)
    assert other is not None
    text = lowered.replace(other.group(), other.group() + other.group().replace("think", "talk"))
    text = re.sub(TRANSFER + "to = @think.decode", r"\1to = @talk.decode", text)
    with pytest.raises(InputError, match=r"\(C1\) `from` and `to` are phases of different nodes"):
        verify_module(parse_module(text, "graph.mlir"), "the input")


def test_a_transfer_stands_in_a_graph() -> None:
    text = '"llm.kv_transfer"() {from = @a, to = @b, bytes_per_prompt_token = 1.0 : f64} : () -> ()'
    with pytest.raises(InputError, match=r"expects parent op 'agent.graph'"):
        verify_module(parse_module(text, "graph.mlir"), "the input")


def test_node_and_part_are_the_halves_of_a_piece_id(lowered: str) -> None:
    graph = graph_of(parse_module(lowered, "graph.mlir"))
    nodes = [op for op in graph.nodes if isinstance(op, NodeOp)]
    assert sorted(map(node_and_part, nodes)) == [
        ("hear", "run"),
        ("say", "run"),
        ("search", "run"),
        ("think", "decode"),
        ("think", "prefill"),
    ]
    assert sum(isinstance(op, PrefillOp | DecodeOp) for op in nodes) == 2


def test_an_edge_is_no_node(lowered: str) -> None:
    edge = next(graph_of(parse_module(lowered, "graph.mlir")).edges)
    with pytest.raises(TypeError, match=r"`agent\.edge` is no node"):
        node_and_part(edge)
