"""Each numbered constraint of the `agent` dialect is broken once, by one edit of a module that verifies."""

import re
from pathlib import Path

import pytest

from dovetail.ir.agent import Agent, DistAttr, GraphOp, LLMCallOp, graph_of
from dovetail.ir.diagnostics import InputError
from dovetail.ir.distribution import Distribution
from dovetail.ir.text import parse_module
from dovetail.ir.verify import verify_module

CASES = Path(__file__).parents[1] / "cases"
VOICE = (CASES / "agent_voice.mlir").read_text()
KINDS = (CASES / "agent_kinds.mlir").read_text()

MANY = KINDS.replace("({", '({ "agent.map"() ({ <GRAPH> }) {sym_name = "many", over = 2 : i64} : () -> () ', 1)
INNER = '"agent.graph"() ({"agent.router"() {sym_name = "a"} : () -> ()}) {sym_name = "g", objective = "cost", '
INNER += "workload = {}, slo = {}} : () -> ()"
NESTED = KINDS.replace("({", '({ "agent.agent_call"() ({ <GRAPH> }) {sym_name = "helper"} : () -> () ', 1)

LOOP = VOICE[VOICE.index("probability = 0.4") : VOICE.index("bytes = 2000.0")]
ENDLESS = LOOP.replace("probability = 0.4 : f64, ", "").replace("from = @think, to = @say", "from = @hear, to = @say")

BROKEN = [
    ("agent.dist C1", VOICE, '"lognormal"', '"lognormals"', "`lognormals` is no kind of distribution"),
    ("agent.graph C1", VOICE, "to = @say", "to = @sing", "`think -> sing` names the node `sing`"),
    ("agent.graph C1 twice", VOICE, "from = @search, to = @think", "from = @hear, to = @think", "stands twice"),
    ("agent.graph C2 under", KINDS, "probability = 0.7", "probability = 0.6", "sum to 0.9, and no edge takes the rest"),
    ("agent.graph C2 over", KINDS, "probability = 0.7", "probability = 0.8", "sum to 1.1, over 1"),
    ("agent.graph C3", VOICE, ", max_visits = 3 : i64", "", "the cycle `think -> search -> think` has no bound"),
    ("agent.graph C4", VOICE, "from = @hear, to = @think", "from = @hear, to = @say", "no request reaches the node"),
    ("agent.graph C5", VOICE, LOOP, ENDLESS, "a request never ends"),
    ("agent.llm_call C1 prompt", VOICE, "[1000.0 : f64]", "[0.5 : f64]", "`prompt_tokens` of `think` is under 1"),
    ("agent.llm_call C1 output", VOICE, "[500.0 : f64]", "[0.0 : f64]", "`output_tokens` of `think` is under 1"),
    ("agent.llm_call C2", VOICE, "tp = 2", "tp = 0", "`tp` of `think` is under 1"),
    ("agent.llm_call C2 pp", VOICE, "tp = 2", "pp = -1", "`pp` of `think` is under 1"),
    ("agent.llm_call C3", VOICE, "tp = 2 : i64", 'models = ["a"]', "`model` of `think` is not the first of `models`"),
    ("agent.model_call C1 both", VOICE, 'graph = "tts.onnx"', 'graph = "a.onnx", model = "b"', "`say` needs one of"),
    ("agent.model_call C1 none", VOICE, 'graph = "tts.onnx", ', "", "`say` needs one of `model` and `graph`"),
    ("agent.tool_call C1", VOICE, "concurrency = 20", "concurrency = 0", "`concurrency` of `search` is under 1"),
    ("agent.tool_call C2", VOICE, "failure = 0.0", "failure = 1.5", "`failure` of `search` is no probability"),
    ("agent.cache C1", KINDS, "hit_ratio = 0.3", "hit_ratio = -0.3", "`hit_ratio` of `seen` is no probability"),
    (
        "agent.agent_call C1",
        NESTED,
        "<GRAPH>",
        '"agent.router"() {sym_name = "a"} : () -> ()',
        "`helper` must hold one `agent.graph` and nothing else",
    ),
    (
        "agent.map C1",
        MANY,
        "<GRAPH>",
        '"agent.router"() {sym_name = "a"} : () -> ()',
        "`many` must hold one `agent.graph`",
    ),
    ("agent.map C2", MANY.replace("<GRAPH>", INNER), "over = 2", "over = 0", "`over` of `many` is under 1"),
    ("agent.edge C1", VOICE, "probability = 0.4", "probability = 0.0", "`probability` must be over 0"),
    ("agent.edge C2", VOICE, "max_visits = 3", "max_visits = 0", "`max_visits` must be at least 1"),
    ("agent.edge C3", VOICE, "bytes = 1600.0", "bytes = -1.0", "`bytes` must not be negative"),
]
"""(constraint, module, what is replaced, by what, what the message says)."""


@pytest.mark.parametrize(("constraint", "text", "old", "new", "says"), BROKEN, ids=[case[0] for case in BROKEN])
def test_constraint(constraint: str, text: str, old: str, new: str, says: str) -> None:
    assert text.count(old) == 1
    with pytest.raises(InputError) as caught:
        verify_module(parse_module(text.replace(old, new), "graph.mlir"), "the input")
    message = str(caught.value)
    assert f"({constraint.split()[1]})" in message
    assert says in message
    assert "graph.mlir:" in message


def test_every_numbered_constraint_is_broken_above() -> None:
    numbered = {
        f"{kind.name} {number}"
        for kind in [*Agent.operations, *Agent.attributes]
        for number in re.findall(r"\((C\d+)\)", kind.__doc__ or "")
    }
    assert numbered == {" ".join(case[0].split()[:2]) for case in BROKEN}


@pytest.mark.parametrize("text", [VOICE, KINDS], ids=["voice", "kinds"])
def test_the_cases_verify(text: str) -> None:
    verify_module(parse_module(text, "graph.mlir"), "the input")


def test_graph_gives_nodes_and_edges_in_file_order() -> None:
    graph = graph_of(parse_module(VOICE, "graph.mlir"))
    assert [node.attributes["sym_name"].data for node in graph.nodes] == ["hear", "think", "search", "say"]  # pyright: ignore[reportAttributeAccessIssue]
    assert [(e.source.string_value(), e.target.string_value()) for e in graph.edges] == [
        ("hear", "think"),
        ("think", "search"),
        ("search", "think"),
        ("think", "say"),
    ]


def test_attributes_that_the_dialect_does_not_know_are_kept() -> None:
    graph = graph_of(parse_module(VOICE, "graph.mlir"))
    assert isinstance(graph, GraphOp)
    call = next(node for node in graph.nodes if isinstance(node, LLMCallOp))
    assert str(call.attributes["priority"]) == "3 : i64"


@pytest.mark.parametrize(
    "value",
    [
        Distribution.point(3.0),
        Distribution.lognormal_mean_p95(0.3, 0.9),
        Distribution.exponential(2.0).shifted(0.5),
        Distribution.wait(0.2, 1.5),
        Distribution("quantiles", (0.5, 1.0, 0.95, 4.0)),
        Distribution("samples", (1.0, 2.0, 2.0)),
    ],
    ids=lambda value: value.kind,
)
def test_a_distribution_comes_back_from_its_attribute(value: Distribution) -> None:
    assert DistAttr.of(value).value == value
