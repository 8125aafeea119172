"""All faults of a module are reported at once, each at its place, and no broken attribute escapes as an exception."""

from pathlib import Path

import pytest
from xdsl.dialects.builtin import (
    ArrayAttr,
    FileLineColLoc,
    FloatAttr,
    IntAttr,
    IntegerAttr,
    ModuleOp,
    StringAttr,
    SymbolRefAttr,
    f64,
    i64,
)
from xdsl.ir import Attribute

from dovetail.ir.agent import DistAttr, RouterOp
from dovetail.ir.diagnostics import InputError
from dovetail.ir.source import SourceFile
from dovetail.ir.text import parse_module
from dovetail.ir.verify import verify_module
from dovetail.passes import run_pipeline

VOICE = Path(__file__).parents[1] / "cases" / "agent_voice.mlir"


def test_every_fault_is_shown_with_its_place() -> None:
    text = VOICE.read_text().replace("inputs = {audio", "input = {audio").replace("from = @hear", 'from = "hear"')
    with pytest.raises(InputError) as caught:
        verify_module(parse_module(text, "voice.mlir"), "the input", SourceFile("voice.mlir", text))
    first, second = caught.value.diagnostics
    assert first.message == "`agent.model_call @hear`: the attribute `inputs` is missing"
    assert "voice.mlir:2:3\n  |\n2 |" in first.render()
    assert "^" * len('"agent.model_call"') in first.render()
    assert second.message == '`agent.edge`: the attribute `from`: "hear" should be of base attribute symbol_ref'
    assert str(second.labels[0].span) == "voice.mlir:6:3"


def test_rules_are_asked_of_every_op_once_all_have_their_form() -> None:
    text = VOICE.read_text().replace("max_visits = 3", "max_visits = -1").replace("failure = 0.0", "failure = 2.0")
    with pytest.raises(InputError) as caught:
        verify_module(parse_module(text, "voice.mlir"), "the input")
    assert [diagnostic.message.partition(":")[0] for diagnostic in caught.value.diagnostics] == [
        "`agent.tool_call @search`",
        "`agent.edge`",
    ]


def test_the_text_is_read_from_the_file_that_a_location_names(tmp_path: Path) -> None:
    file = tmp_path / "graph.yaml"
    file.write_text("nodes:\n  pick: {kind: router}\n")
    op = RouterOp()
    op.location = FileLineColLoc(StringAttr(str(file)), IntAttr(2), IntAttr(3))
    with pytest.raises(InputError) as caught:
        verify_module(ModuleOp([op]), "the input")
    assert "2 |   pick: {kind: router}\n  |   ^^^^" in str(caught.value)


def test_a_fault_without_a_place_is_still_named() -> None:
    with pytest.raises(InputError, match=r"error\[verify\]: `agent.router`: the attribute `sym_name` is missing$"):
        verify_module(ModuleOp([RouterOp()]), "the input")


ODD: tuple[Attribute | None, ...] = (
    None,
    StringAttr("x"),
    IntegerAttr(-3, i64),
    FloatAttr(-2.0, f64),
    ArrayAttr([]),
    SymbolRefAttr("nowhere"),
    SymbolRefAttr("a", ["b"]),
    DistAttr(StringAttr("point"), ArrayAttr([StringAttr("a")]), FloatAttr(0.0, f64)),
    DistAttr(StringAttr("point"), ArrayAttr([FloatAttr(-1.0, f64)]), FloatAttr(0.0, f64)),
)
"""What each attribute of each op is replaced by; None takes it away."""


def test_no_attribute_can_make_the_verifier_fail_otherwise_than_by_saying_so() -> None:
    module = parse_module(VOICE.read_text(), "voice.mlir")
    run_pipeline(module)
    refused, seen = 0, set()
    for number, op in enumerate(module.walk()):
        for key in op.attributes.keys() - {key for name, key in seen if name == op.name}:
            seen.add((op.name, key))
            for value in ODD:
                copy = module.clone()
                broken = list(copy.walk())[number]
                if value is None:
                    del broken.attributes[key]
                else:
                    broken.attributes[key] = value
                try:
                    verify_module(copy, "the copy")
                except InputError:
                    refused += 1
    assert refused > 200


def test_what_is_used_before_it_is_made_is_told() -> None:
    text = """builtin.module {
  func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
    %r = "nn.add"(%x, %s) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    %s = "nn.relu"(%r) : (tensor<2xf32>) -> tensor<2xf32>
    func.return %r : tensor<2xf32>
  }
}
"""
    with pytest.raises(InputError) as caught:
        verify_module(parse_module(text, "early.mlir"), "the input", SourceFile("early.mlir", text))
    (fault,) = caught.value.diagnostics
    assert fault.message == "`nn.add`: operand 1 is made by `nn.relu`, which does not come before"
    assert "early.mlir:3:5" in fault.render()
