"""`inline-agents`: the text it leaves, and that a nested graph means what the same graph written flat means."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from xdsl.dialects.builtin import FileLineColLoc

import dovetail
from dovetail.ir.agent import AgentCallOp, LLMCallOp, ModelCallOp, graph_of
from dovetail.ir.diagnostics import InputError
from dovetail.ir.read.graph import parse_graph, read_graph
from dovetail.ir.read.inputs import read_inputs
from dovetail.ir.text import parse_module, print_module
from dovetail.ir.verify import verify_module
from dovetail.passes import find_pass, run_passes
from dovetail.passes.agent.inline_agents import inline_agents
from dovetail.planner.check import check_plan
from dovetail.planner.posing.pose import pose

NESTED = Path(__file__).parents[2] / "cases" / "nested"


@pytest.fixture
def nested(tmp_path: Path) -> Path:
    """A copy of the case, to be edited."""
    return shutil.copytree(NESTED, tmp_path / "nested")


def flat_names(text: str) -> str:
    """`helper/tidy/log` as flat.yaml calls it: `helper-tidy-log`."""
    return text.replace("helper/tidy/", "helper-tidy-").replace("helper/", "helper-")


def test_text(golden: Callable[[str, str], None]) -> None:
    module = read_graph(NESTED).module
    inline_agents(module)
    verify_module(module, "the inlined module")
    golden("passes/inline_agents.mlir", print_module(module))


def test_the_module_is_that_of_the_flat_graph_but_for_names() -> None:
    nested, flat = read_graph(NESTED).module, read_graph(NESTED / "flat.yaml").module
    inline_agents(nested)
    found, wanted = (
        sorted(flat_names(f"{op.name} {dict(sorted(op.attributes.items()))}") for op in graph_of(module).body.block.ops)
        for module in (nested, flat)
    )
    assert found == wanted


def test_requests_take_the_same_ways_as_through_the_flat_graph() -> None:
    found, wanted = (
        {
            (s.probability, tuple(sorted((flat_names(step.id), step.after) for step in s.steps)))
            for s in pose(*read_inputs(NESTED / file), NESTED).problem.scenarios
        }
        for file in ("graph.yaml", "flat.yaml")
    )
    assert {(p, flat_names(str(steps))) for p, steps in found} == {(p, str(steps)) for p, steps in wanted}


def figures(plan: dovetail.Plan) -> dict[str, Any]:
    """What a plan says that does not depend on names."""
    document = json.loads(flat_names(plan.to_json()))
    placed = sorted((p["piece"], p["device"], p["share"], p["latency_s"]) for p in document["placements"])
    return {key: document[key] for key in ("status", "objective", "cost", "latency_s", "fleet")} | {"placed": placed}


def test_the_plan_is_that_of_the_flat_graph() -> None:
    plan = dovetail.plan(NESTED)
    assert "helper/tidy/log.run" in {placement["piece"] for placement in plan.placements}
    assert figures(plan) == figures(dovetail.plan(NESTED / "flat.yaml"))
    assert check_plan(plan.document) == []


def test_what_a_plan_embeds_needs_no_files() -> None:
    read = read_graph(NESTED)
    again = parse_graph(json.loads(json.dumps(read.document)))
    assert str(again.module) == str(read.module)
    assert again.document == read.document


def test_ops_keep_the_places_in_their_own_files() -> None:
    module = read_graph(NESTED).module
    inline_agents(module)
    places = {}
    for node in graph_of(module).nodes:
        assert isinstance(node.location, FileLineColLoc)
        places[str(node.attributes["sym_name"]).strip('"')] = (
            Path(node.location.filename.data).relative_to(NESTED).as_posix(),
            node.location.line.data,
        )
    assert places["hear"] == ("graph.yaml", 4)
    assert places["helper/think"] == ("agents/helper.yaml", 5)
    assert places["helper/tidy/log"] == ("agents/parts/tidy.yaml", 4)


def test_faults_of_names_stand_in_the_nested_file(nested: Path) -> None:
    file = nested / "agents" / "helper.yaml"
    file.write_text(file.read_text().replace("llama-3.1-8b", "llama-3.1-9b"))
    with pytest.raises(InputError) as caught:
        dovetail.plan(nested)
    (fault,) = caught.value.diagnostics
    assert "did you mean `llama-3.1-8b`?" in str(fault.help)
    assert str(fault.labels[0].span) == f"{file}:5:30"


def test_files_are_looked_for_beside_the_graph_that_names_them(nested: Path) -> None:
    (nested / "agents" / "net.onnx").touch()
    (nested / "agents" / "parts" / "config.json").touch()
    inner = nested / "agents" / "parts" / "tidy.yaml"
    llm = "kind: llm, prompt_tokens: 9, output_tokens: 9"
    inner.write_text(
        f"version: 1\nnodes:\n  a: {{{llm}, model: config.json}}\n  b: {{kind: model, graph: ../net.onnx}}\n"
        "edges:\n  - a -> b\n"
    )
    read = read_graph(nested)
    assert str(parse_graph(read.document).module) == str(read.module)
    inline_agents(read.module)
    (llm_node,) = (op for op in read.module.walk() if isinstance(op, LLMCallOp) and "tidy" in op.sym_name.data)
    (model,) = (op for op in read.module.walk() if isinstance(op, ModelCallOp))
    assert model.graph is not None
    for path in (llm_node.model.data, model.graph.data):
        assert path.startswith("agents/parts/")
        assert (nested / path).is_file()


def test_a_config_in_a_nested_folder_is_planned_with(nested: Path) -> None:
    config = {"architectures": ["LlamaForCausalLM"], "num_hidden_layers": 2, "hidden_size": 64, "vocab_size": 1000}
    config |= {
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "intermediate_size": 128,
        "max_position_embeddings": 9000,
    }
    (nested / "agents" / "config.json").write_text(json.dumps(config))
    file = nested / "agents" / "helper.yaml"
    file.write_text(file.read_text().replace("llama-3.1-8b", "config.json"))
    (call,) = pose(*read_inputs(nested), nested).setting.llm_nodes
    # two layers, four heads of keys and as many of values, 8 wide, 2 bytes each
    assert call[3].bytes_per_prompt_token.value.data == 2 * 4 * 2 * 8 * 2
    plan = dovetail.plan(nested)
    assert check_plan(plan.document) == []
    (nested / "agents" / "config.json").unlink()
    assert "helper/think.prefill" in plan.picture("dot")


def test_what_the_whole_graph_decides_is_said_to_be_unread(nested: Path) -> None:
    file = nested / "agents" / "helper.yaml"
    file.write_text(file.read_text() + "workload: {rate: 900 req/s}\nfleet: nowhere.yaml\nobjective: latency\n")
    plan = dovetail.plan(nested)
    assert plan.cost == dovetail.plan(NESTED).cost
    for key in ("workload", "fleet", "objective"):
        assert f"`{key}` in `{file}` is not read: that of the whole graph holds" in plan.warnings


def test_an_agent_may_be_nested_twice(nested: Path) -> None:
    file = nested / "graph.yaml"
    twice = "  again:  {kind: agent, graph: agents/helper.yaml}\n  say: "
    file.write_text(
        file.read_text()
        .replace("  say: ", twice)
        .replace("  - hear -> helper\n", "  - hear -> helper\n  - hear -> again\n")
    )
    module = read_graph(nested).module
    inline_agents(module)
    verify_module(module, "the inlined module")
    names = {str(node.attributes["sym_name"]).strip('"') for node in graph_of(module).nodes}
    assert {"helper/tidy/log", "again/tidy/log"} <= names
    assert len(names) == 2 + 2 * 6


def test_graphs_nested_past_counting_are_refused_early(tmp_path: Path) -> None:
    """Each file nests the next ten times over: 10^7 graphs."""
    for number in range(7):
        nodes = "".join(f"  n{k}: {{kind: agent, graph: g{number + 1}.yaml}}\n" for k in range(10))
        edges = "".join(f"  - start -> n{k}\n" for k in range(10))
        (tmp_path / f"g{number}.yaml").write_text(
            f"version: 1\nnodes:\n  start: {{kind: router}}\n{nodes}edges:\n{edges}"
        )
    (tmp_path / "g7.yaml").write_text("version: 1\nnodes:\n  a: {kind: router}\n")
    with pytest.raises(InputError, match="more than 200 graphs are nested"):
        read_graph(tmp_path / "g0.yaml")


def test_graphs_nested_too_deep_are_refused(tmp_path: Path) -> None:
    for number in range(12):
        body = f"  a: {{kind: agent, graph: g{number + 1}.yaml}}\n"
        (tmp_path / f"g{number}.yaml").write_text(f"version: 1\nnodes:\n{body}")
    with pytest.raises(InputError, match="more than 8 graphs are nested in each other"):
        read_graph(tmp_path / "g0.yaml")


def test_a_link_out_of_the_folder_is_refused(nested: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text("version: 1\nnodes:\n  a: {kind: router}\n")
    (nested / "agents" / "helper.yaml").unlink()
    (nested / "agents" / "helper.yaml").symlink_to(tmp_path / "secret.yaml")
    with pytest.raises(InputError, match="is not in the folder of the outermost graph"):
        read_graph(nested)


def test_calls_may_be_split_before_or_after() -> None:
    orders = (("inline-agents", "lower-llm-call"), ("lower-llm-call", "inline-agents"))
    texts = []
    for order in orders:
        module = read_graph(NESTED).module
        run_passes(module, [find_pass(name)() for name in order])
        texts.append(sorted(str(op) for op in graph_of(module).body.block.ops))
    assert texts[0] == texts[1]


def test_pieces_need_agents_inlined() -> None:
    module = read_graph(NESTED).module
    run_passes(module, [find_pass("lower-llm-call")()])
    with pytest.raises(InputError, match="met `helper`, which `inline-agents` must inline first"):
        run_passes(module, [find_pass("partition-pieces")()])


def test_an_agent_outside_a_graph_is_refused() -> None:
    call = next(op for op in read_graph(NESTED).module.walk() if isinstance(op, AgentCallOp))
    call.detach()
    with pytest.raises(InputError, match=r"`helper`, which stands in no `agent\.graph`"):
        inline_agents(parse_module(str(call), "graph.mlir"))
