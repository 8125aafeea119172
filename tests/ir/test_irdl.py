"""The IRDL that is exported says what the definitions say; what MLIR could not read back is refused."""

from collections.abc import Callable
from typing import ClassVar

import pytest
from xdsl.dialects.builtin import IntegerAttr, IntegerType, StringAttr, f32
from xdsl.ir import Dialect
from xdsl.irdl import (
    AllOf,
    AnyAttr,
    AnyOf,
    BaseAttr,
    EqAttrConstraint,
    IRDLOperation,
    ParamAttrConstraint,
    VarConstraint,
    attr_def,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    prop_def,
    region_def,
    result_def,
    successor_def,
    var_operand_def,
    var_region_def,
    var_result_def,
)

from dovetail.ir.agent import Agent, DistAttr
from dovetail.ir.diagnostics import InputError
from dovetail.ir.irdl import export_irdl, no_terminator_ops, variadic_ops
from dovetail.ir.mlir import INSTALL, find_bindings, our_dialects, verify_in_mlir
from dovetail.ir.nn import Nn


def test_the_agent_dialect(golden: Callable[[str, str], None]) -> None:
    golden("irdl/agent.mlir", export_irdl([Agent]))


@irdl_op_definition
class PropertyOp(IRDLOperation):
    name = "test.property"
    kind = prop_def(StringAttr)


@irdl_op_definition
class SuccessorOp(IRDLOperation):
    name = "test.successor"
    next = successor_def()


@irdl_op_definition
class RegionsOp(IRDLOperation):
    name = "test.regions"
    bodies = var_region_def()


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (PropertyOp, "`test.property` has properties or successors"),
        (SuccessorOp, "`test.successor` has properties or successors"),
        (RegionsOp, "`test.regions` has a variadic region"),
    ],
)
def test_what_irdl_has_not_is_refused(op: type[IRDLOperation], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        export_irdl([Dialect("test", [op], [])])


@irdl_op_definition
class ValuesOp(IRDLOperation):
    name = "test.values"
    count = attr_def(IntegerAttr)
    x = operand_def()
    bias = opt_operand_def()
    y = result_def()
    body = region_def("single_block")


def test_operands_results_attributes_and_regions() -> None:
    assert export_irdl([Dialect("test", [ValuesOp], [])]) == (
        "irdl.dialect @test {\n"
        "  irdl.operation @values {\n"
        '    %0 = irdl.base "#builtin.integer"\n'
        '    irdl.attributes {"count" = %0}\n'
        "    %1 = irdl.any\n"
        "    %2 = irdl.any\n"
        "    irdl.operands(x: %1, bias: optional %2)\n"
        "    %3 = irdl.any\n"
        "    irdl.results(y: %3)\n"
        "    %4 = irdl.region with size 1\n"
        "    irdl.regions(body: %4)\n"
        "  }\n"
        "}\n"
    )


@irdl_op_definition
class ManyOp(IRDLOperation):
    name = "test.many"
    xs = var_operand_def()


@irdl_op_definition
class SplitOp(IRDLOperation):
    name = "test.split"
    ys = var_result_def()


@irdl_op_definition
class ConstrainedOp(IRDLOperation):
    """Every form of constraint that IRDL has too."""

    T: ClassVar = VarConstraint("T", AnyOf((BaseAttr(IntegerType), EqAttrConstraint(f32))))
    name = "test.constrained"
    unit = attr_def(AllOf((BaseAttr(StringAttr), EqAttrConstraint(StringAttr("s")))))
    law = attr_def(ParamAttrConstraint(DistAttr, (EqAttrConstraint(StringAttr("point")), AnyAttr(), AnyAttr())))
    x = operand_def(T)
    y = result_def(T)


def _constrained(unit: str = '"s"', kind: str = "point", operand: str = "i32", result: str = "i32") -> str:
    return (
        f'%x = "unchecked.value"() : () -> {operand}\n'
        f'%y = "test.constrained"(%x) {{unit = {unit}, law = #agent.dist<"{kind}", [], 0.0>}} : '
        f"({operand}) -> {result}\n"
    )


BINDINGS = find_bindings()


@pytest.mark.skipif(BINDINGS is None or BINDINGS.irdl is None, reason=INSTALL)
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, None),
        ({"operand": "f32", "result": "f32"}, None),
        ({"unit": '"ms"'}, "expected '\"s\"' but got '\"ms\"'"),
        ({"kind": "samples"}, "expected '\"point\"' but got '\"samples\"'"),
        ({"operand": "f64", "result": "f64"}, "'f64' does not satisfy the constraint"),
        ({"result": "f32"}, "expected 'i32' but got 'f32'"),
    ],
    ids=["integer", "f32", "equal attribute", "parameter", "any of", "one variable"],
)
def test_constraints_mean_in_mlir_what_they_mean_here(changes: dict[str, str], says: str | None) -> None:
    dialects = [Agent, Dialect("test", [ConstrainedOp, ManyOp], [])]
    text = _constrained(**changes) + '"test.many"() : () -> ()\n'
    if says is None:
        assert '"test.constrained"' in verify_in_mlir(text, dialects)
        return
    with pytest.raises(InputError) as caught:
        verify_in_mlir(text, dialects)
    assert says in caught.value.diagnostics[0].message


def test_variadic_ops_are_named_and_left_out() -> None:
    dialect = Dialect("test", [ValuesOp, ManyOp, SplitOp], [])
    assert variadic_ops([dialect]) == ["test.many", "test.split"]
    assert export_irdl([dialect]).count("irdl.operation") == 1
    assert variadic_ops([Nn]) == ["nn.fused_elementwise", "nn.fusion", "nn.layer_norm", "nn.concat", "nn.split"]


def test_values_of_the_nn_dialect_are_tensors() -> None:
    add = export_irdl([Nn]).partition("irdl.operation @add {")[2].partition("}")[0]
    assert add.count('irdl.base "!builtin.tensor"') == 3


def test_ops_whose_blocks_need_no_terminator() -> None:
    assert no_terminator_ops(our_dialects()) == ["agent.graph", "agent.agent_call", "agent.map", "plan.plan"]
