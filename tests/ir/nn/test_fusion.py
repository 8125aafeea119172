"""`nn.fusion`: its constraints, its meaning, its cost, and that MLIR takes it."""

from __future__ import annotations

import numpy as np
import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import VerifyException

from dovetail.costmodel.cost import Cost, cost_of
from dovetail.ir import nn
from dovetail.ir.diagnostics import InputError
from dovetail.ir.interpret import interpret
from dovetail.ir.mlir import INSTALL, find_bindings, verify_in_mlir
from dovetail.ir.text import parse_module, print_module

BINDINGS = find_bindings()
MATMUL = '%p = "nn.matmul"(%a, %b) : (tensor<4x8xf32>, tensor<8x3xf32>) -> tensor<4x3xf32>'
RELU = '%r = "nn.relu"(%p) : (tensor<4x3xf32>) -> tensor<4x3xf32>'
EXP = '%p = "nn.exp"(%a) : (tensor<4x8xf32>) -> tensor<4x8xf32>'
ARGUMENTS = "%a : tensor<4x8xf32>, %b : tensor<8x3xf32>"


def text(*ops: str, arguments: str = ARGUMENTS, result: str = "tensor<4x3xf32>") -> str:
    body = "\n      ".join(ops)
    return f"""builtin.module {{
  func.func @main(%x : tensor<4x8xf32>, %w : tensor<8x3xf32>) -> {result} {{
    %y = "nn.fusion"(%x, %w) ({{
    ^bb0({arguments}):
      {body}
    }}) : (tensor<4x8xf32>, tensor<8x3xf32>) -> {result}
    func.return %y : {result}
  }}
}}
"""


def module(*ops: str, **changes: str) -> ModuleOp:
    return parse_module(text(*ops, **changes), "fusion.mlir")


def fusion_of(module: ModuleOp) -> nn.FusionOp:
    (op,) = nn.body_of(module)
    assert isinstance(op, nn.FusionOp)
    return op


def test_meaning_is_that_of_the_ops_inside():
    whole = module(MATMUL, RELU)
    whole.verify()
    x, w = (np.random.default_rng(i).normal(size=shape) for i, shape in enumerate(((4, 8), (8, 3))))
    np.testing.assert_array_equal(interpret(whole, [x, w], {})[0], np.maximum(x @ w, 0))


def test_several_results_are_those_of_the_last_op():
    split = '%s, %t = "nn.split"(%p) {axis = 1 : i64, sizes = array<i64: 1, 2>} : (tensor<4x3xf32>) -> '
    source = text(MATMUL, split + "(tensor<4x1xf32>, tensor<4x2xf32>)", result="tensor<4x2xf32>")
    source = source.replace("%y = ", "%u, %y = ").replace(
        "-> tensor<4x2xf32>\n    func", "-> (tensor<4x1xf32>, tensor<4x2xf32>)\n    func"
    )
    whole = parse_module(source, "fusion.mlir")
    whole.verify()
    x, w = np.ones((4, 8)), np.arange(24.0).reshape(8, 3)
    np.testing.assert_array_equal(interpret(whole, [x, w], {})[0], (x @ w)[:, 1:])


def test_cost_is_one_launch_that_reads_the_operands_and_writes_the_result():
    """2 x 4 x 8 x 3 flops and 12 for the relu; 4 bytes of 32, 24 and 12 elements."""
    assert cost_of(fusion_of(module(MATMUL, RELU))) == Cost(192 + 12, 4 * (32 + 24), 4 * 12, 1)


def test_around_takes_what_is_used_from_outside_once_and_leaves_the_ops():
    whole = module(MATMUL, RELU)
    steps = fusion_of(whole).steps
    made = nn.FusionOp.around(steps)
    assert [op.name for op in made.steps] == ["nn.matmul", "nn.relu"]
    assert list(made.operands) == list(fusion_of(whole).body.block.args)
    whole.verify()


@pytest.mark.skipif(BINDINGS is None or BINDINGS.irdl is None, reason=INSTALL)
def test_mlir_takes_it_and_verifies_what_is_inside():
    assert '"nn.fusion"' in verify_in_mlir(print_module(module(MATMUL, RELU), generic=True))
    with pytest.raises(InputError, match="MLIR refuses the module"):
        verify_in_mlir(text(MATMUL, '%r = "nn.relu"(%p, %p) : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>'))


CASES = [
    ([MATMUL], {"arguments": f"{ARGUMENTS}, %c : tensor<3xf32>"}, "(C1)"),
    ([EXP], {"arguments": "%a : tensor<4x8xf32>, %b : tensor<3xf64>", "result": "tensor<4x8xf32>"}, "(C1)"),
    ([], {}, "(C2)"),
    (['%p = "nn.weight"() {weight = "w"} : () -> tensor<4x3xf32>', RELU], {}, "(C2)"),
    (['%q = "arith.constant"() {value = 1 : i64} : () -> i64', MATMUL], {}, "(C2)"),
    ([MATMUL, MATMUL.replace("%p", "%r")], {}, "(C3)"),
    ([MATMUL], {"result": "tensor<3x4xf32>"}, "(C0)"),
    ([MATMUL.replace("tensor<4x3xf32>", "tensor<3x4xf32>")], {}, "(C0)"),
    ([MATMUL.replace("%a", "%x")], {}, "x"),
]
BROKEN = [(nn.FusionOp, int(says[2]), ops) for ops, _, says in CASES if says in ("(C1)", "(C2)", "(C3)")]
"""what test_verify.py counts"""


@pytest.mark.parametrize(
    ("ops", "changes", "says"),
    CASES,
    ids=["C1 number", "C1 type", "C2 empty", "C2 weight", "C2 not nn", "C3", "C0 result", "C0 inside", "isolated"],
)
def test_a_constraint_that_is_broken(ops, changes, says):
    with pytest.raises((VerifyException, InputError)) as caught:
        module(*ops, **changes).verify()
    assert says in str(caught.value)


def test_C2_no_fusion_inside_a_fusion():
    whole = module(MATMUL, RELU)
    fused = fusion_of(whole)
    with pytest.raises(VerifyException, match=r"\(C2\)"):
        nn.FusionOp.around([fused])


def test_open_sizes_inside_are_closed_with_the_others():
    open_text = text(MATMUL, RELU).replace("tensor<4x", "tensor<?x").replace("x8xf32>", 'x8xf32, ["batch", 8]>')
    open_text = open_text.replace("tensor<?x3xf32>", 'tensor<?x3xf32, ["batch", 3]>')
    whole = parse_module(open_text, "open.mlir")
    whole.verify()
    assert nn.open_names(whole) == {"batch"}
    closed = nn.with_sizes(whole, {"batch": 4})
    closed.verify()
    assert closed.is_structurally_equivalent(module(MATMUL, RELU))
