"""Passes are found by name, those of other packages too; a pipeline leaves what the planner reads."""

import subprocess
import sys
from pathlib import Path

import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from dovetail.ir.agent import LLMCallOp, NodeOp, graph_of
from dovetail.ir.diagnostics import InputError
from dovetail.ir.llm import DecodeOp, KVTransferOp, PrefillOp
from dovetail.ir.plan import PieceOp, plan_of
from dovetail.ir.text import parse_module
from dovetail.passes import (
    BUILT_IN,
    NN_PIPELINE,
    PIPELINE,
    TARGET_PIPELINE,
    find_pass,
    pass_names,
    passes_of,
    run_passes,
    run_pipeline,
)

CASES = Path(__file__).parents[1] / "cases"
VOICE = CASES / "agent_voice.mlir"


def test_every_pass_is_found_under_its_own_name() -> None:
    for name in BUILT_IN:
        assert find_pass(name).name == name


def test_pipelines_name_passes_that_exist_and_say_why() -> None:
    for name, why in (*PIPELINE, *NN_PIPELINE, *(each for passes in TARGET_PIPELINE.values() for each in passes)):
        assert [each.name in BUILT_IN for each in passes_of(name)] == [True]
        assert why


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        find_pass("lower-lm-call")
    assert str(caught.value) == (
        "error[pass]: there is no pass `lower-lm-call`\n = help: did you mean `lower-llm-call`?"
    )


@pytest.fixture
def other_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package on the path that offers passes: one good, one that cannot be imported, one under a name of ours."""
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[dovetail.passes]\nrename = other_passes:RenamePass\nlost = other_passes:NoSuchPass\n"
        "apply-plan = other_passes:RenamePass\n"
    )
    (tmp_path / "other_passes.py").write_text(
        "from dataclasses import dataclass\n"
        "from typing import ClassVar\n"
        "from xdsl.dialects.builtin import StringAttr\n"
        "from xdsl.passes import ModulePass\n"
        "@dataclass(frozen=True)\n"
        "class RenamePass(ModulePass):\n"
        "    name: ClassVar[str] = 'rename'\n"
        "    def apply(self, ctx, op):\n"
        "        next(iter(op.ops)).attributes['sym_name'] = StringAttr('renamed')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("other_package")
def test_passes_of_other_packages_run_by_name() -> None:
    assert {"rename", "lost", "lower-llm-call"} <= set(pass_names())
    module = parse_module(VOICE.read_text(), "graph.mlir")
    run_pipeline(module, [("rename", "a test")])
    assert graph_of(module).sym_name.data == "renamed"


@pytest.mark.usefixtures("other_package")
def test_our_names_cannot_be_taken_over() -> None:
    assert find_pass("apply-plan").__name__ == "ApplyPlanPass"


@pytest.mark.usefixtures("other_package")
def test_a_pass_that_cannot_be_loaded_is_named() -> None:
    with pytest.raises(InputError, match=r"the pass `lost` \(other_passes:NoSuchPass\) cannot be loaded"):
        find_pass("lost")


class BreakPass(ModulePass):
    name = "break"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        del graph_of(op).attributes["objective"]


def test_a_pass_that_leaves_a_broken_module_is_noticed() -> None:
    with pytest.raises(InputError, match="the attribute `objective` is missing"):
        run_passes(parse_module(VOICE.read_text(), "graph.mlir"), [BreakPass()])


def test_the_pipeline_leaves_what_the_planner_reads() -> None:
    module = parse_module(VOICE.read_text(), "graph.mlir")
    run_pipeline(module)
    graph, plan = graph_of(module), plan_of(module)
    nodes = {node.sym_name.data: node for node in graph.nodes if isinstance(node, NodeOp)}
    assert not any(isinstance(node, LLMCallOp) for node in nodes.values())
    assert isinstance(nodes["think.prefill"], PrefillOp)
    assert isinstance(nodes["think.decode"], DecodeOp)
    ends = {end.string_value() for edge in graph.edges for end in (edge.source, edge.target)}
    assert ends == set(nodes)
    (transfer,) = [op for op in graph.walk() if isinstance(op, KVTransferOp)]
    assert transfer.bytes_per_prompt_token.value.data > 0
    assert plan is not None
    assert {piece.op.string_value() for piece in plan.of_type(PieceOp)} == set(nodes)


def test_the_pipeline_imports_nothing_that_is_slow() -> None:
    code = (
        "import sys\n"
        "from xdsl.dialects.builtin import ModuleOp\n"
        "from dovetail.passes import run_pipeline\n"
        "run_pipeline(ModuleOp([]))\n"
        "slow = {'jax', 'onnx', 'numpy', 'highspy', 'pulp', 'networkx', 'xdsl.parser', 'torch_mlir'}\n"
        "print(*sorted(slow & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
