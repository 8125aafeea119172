"""Printing and parsing are inverse, and every op knows where it stands."""

from pathlib import Path

import pytest
from xdsl.dialects.builtin import FileLineColLoc

from dovetail.ir.diagnostics import InputError
from dovetail.ir.text import parse_module, print_module
from dovetail.ir.verify import verify_module
from dovetail.passes import run_pipeline

CASES = Path(__file__).parents[1] / "cases"

NN = """
func.func @main(%x: tensor<1x3x8x8xf32>) -> tensor<1x4x8x8xf32> {
  %w = "nn.weight"() {weight = "w"} : () -> tensor<4x3x1x1xf32>
  %y = "nn.conv"(%x, %w) {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>,
                            groups = 1 : i64} : (tensor<1x3x8x8xf32>, tensor<4x3x1x1xf32>) -> tensor<1x4x8x8xf32>
  %z = "nn.relu"(%y) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  func.return %z : tensor<1x4x8x8xf32>
}
"""


def _texts() -> dict[str, str]:
    names = ("agent_voice", "agent_kinds", "plan_voice")
    return {name: (CASES / f"{name}.mlir").read_text() for name in names} | {"nn": NN}


@pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])
@pytest.mark.parametrize("name", ["agent_voice", "agent_kinds", "plan_voice", "nn"])
def test_a_module_comes_back_from_its_text(name: str, generic: bool) -> None:
    module = parse_module(_texts()[name], name)
    verify_module(module, name)
    text = print_module(module, generic)
    again = parse_module(text, name)
    verify_module(again, name)
    assert again.is_structurally_equivalent(module)
    assert print_module(again, generic) == text
    assert text.startswith('"builtin.module"()' if generic else "builtin.module {")


@pytest.mark.parametrize("name", ["agent_voice", "agent_kinds"])
def test_what_the_pipeline_leaves_comes_back_from_its_text(name: str) -> None:
    module = parse_module(_texts()[name], name)
    run_pipeline(module)
    assert parse_module(print_module(module), name).is_structurally_equivalent(module)


def test_an_op_stands_where_the_text_has_it() -> None:
    module = parse_module(NN, "net.mlir")
    places = {op.name: op.location for op in module.walk()}
    relu = places["nn.relu"]
    assert isinstance(relu, FileLineColLoc)
    assert (relu.filename.data, relu.line.data, relu.column.data) == ("net.mlir", 6, 3)


def test_a_location_in_the_text_is_kept_and_printed() -> None:
    text = '"agent.router"() {sym_name = "pick"} : () -> () loc("graph.yaml":7:3)'
    module = parse_module(text, "net.mlir")
    assert 'loc("graph.yaml":7:3)' in print_module(module, locations=True)
    assert "loc(" not in print_module(module)


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("", "an op is expected here", "bad.mlir:1:1"),
        ("\n  hello", "Operation hello is not registered", "bad.mlir:2:8"),
        ('\n\n"agent.edge"() {from = } : () -> ()', "attribute expected", "bad.mlir:3:24"),
        ('"nn.relu"(%x) : (f32) -> f32', "%x", "bad.mlir:1:29"),
        ('"agent.router"() {sym_name = "a"} : () -> ()\n"agent.store"() {', "attr", "bad.mlir:2:18"),
        (
            '"agent.router"() {d = #agent.dist<"gauss", [1.0 : f64], 0.0 : f64>} : () -> ()',
            "(C1) `gauss` is no kind of distribution",
            "bad.mlir:1:1",
        ),
    ],
    ids=["empty", "unknown op", "no value", "no such operand", "cut off", "bad attribute"],
)
def test_text_that_does_not_parse_is_shown_at_its_place(text: str, message: str, place: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_module(text, "bad.mlir")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.id == "parse"
    assert message in diagnostic.message
    assert str(diagnostic.labels[0].span) == place


def test_ops_of_other_dialects_are_read_only_where_asked() -> None:
    text = '"other.op"() {a = 1 : i64} : () -> ()'
    with pytest.raises(InputError, match="not registered"):
        parse_module(text, "other.mlir")
    assert '"other.op"() {a = 1 : i64}' in print_module(parse_module(text, "other.mlir", allow_unregistered=True))
