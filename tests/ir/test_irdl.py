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
    SameVariadicOperandSize,
    VarConstraint,
    attr_def,
    irdl_op_definition,
    operand_def,
    opt_attr_def,
    opt_operand_def,
    prop_def,
    region_def,
    result_def,
    successor_def,
    var_operand_def,
    var_region_def,
    var_result_def,
)
from xdsl.traits import IsolatedFromAbove, NoTerminator

from dovetail.ir.agent import Agent, DistAttr
from dovetail.ir.diagnostics import InputError
from dovetail.ir.irdl import Form, export_irdl, ops_with, optional_attributes, variadic_ops
from dovetail.ir.mlir import INSTALL, find_bindings, name_forms, our_dialects, verify_in_mlir
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
        f'%x = "test.value"() : () -> {operand}\n'
        f'%y = "test.constrained"(%x) {{unit = {unit}, law = #agent.dist<"{kind}", [], 0.0>}} : '
        f"({operand}) -> {result}\n"
    )


@irdl_op_definition
class ValueOp(IRDLOperation):
    name = "test.value"
    y = result_def()


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
    dialects = [Agent, Dialect("test", [ConstrainedOp, ManyOp, ValueOp], [])]
    text = _constrained(**changes) + '"test.many"() : () -> ()\n'
    if says is None:
        assert '"test.constrained"' in verify_in_mlir(text, dialects)
        return
    with pytest.raises(InputError) as caught:
        verify_in_mlir(text, dialects)
    assert says in caught.value.diagnostics[0].message


def test_variadic_ops_are_defined_in_the_forms_that_are_given() -> None:
    dialect = Dialect("test", [ValuesOp, ManyOp, SplitOp], [])
    assert variadic_ops([dialect]) == {"test.many", "test.split"}
    assert export_irdl([dialect]).count("irdl.operation") == 1
    text = export_irdl([dialect], [Form("test.many", 2, 0), Form("test.split", 0, 1), Form("test.many", 0, 0)])
    assert text.count("irdl.operation") == 4
    assert "  irdl.operation @many_0_0 {\n  }\n" in text
    assert "irdl.operation @many_2_0 {\n    %0 = irdl.any\n    %1 = irdl.any\n" in text
    assert "    irdl.operands(xs_0: %0, xs_1: %1)\n" in text
    assert "    irdl.results(ys_0: %0)\n" in text


@irdl_op_definition
class ChoiceOp(IRDLOperation):
    name = "test.choice"
    must = attr_def(StringAttr)
    may = opt_attr_def(IntegerAttr)


def test_optional_attributes_are_defined_in_the_forms_that_have_them() -> None:
    dialect = Dialect("test", [ChoiceOp], [])
    assert optional_attributes([dialect]) == {"test.choice": {"may"}}
    text = export_irdl([dialect], [Form("test.choice", 0, 0, ("may",))])
    assert "@choice {" in text
    assert "@choice_0_0_may {" in text
    assert text.count('"must" = ') == 2
    assert text.count('"may" = ') == 1


@pytest.mark.skipif(BINDINGS is None or BINDINGS.irdl is None, reason=INSTALL)
def test_the_forms_of_a_text_are_told_from_it() -> None:
    text = (
        '%a, %b:2 = "test.split"() : () -> (f32, f32, f32) loc("test.many"("a.py":1:1))\n'
        '"test.many"(%a, %b#0) ({ "test.many"() : () -> () }) : (f32, f32) -> ()\n'
        '"test.choice"() : () -> ()\n'
        '"test.choice"() {may = 1} : () -> () loc(fused["a.py":1:1, "test.many"("a.py":1:1)])\n'
        '%c = "test.splits"() : () -> i1'
    )
    assert BINDINGS is not None
    forms, renamed = name_forms(BINDINGS.ir, text, [Dialect("test", [ManyOp, SplitOp, ChoiceOp], [])])
    names = {"many_0_0", "many_2_0", "split_0_3", "choice_0_0_may"}
    assert {form.name for form in forms} == {f"test.{name}" for name in names}
    assert all(renamed.count(f'"test.{name}"(') == 1 for name in names)
    assert renamed.count('"test.choice"(') == renamed.count('loc("test.many"(') == 1
    assert '"test.many_2_0"(%a, %b#0) ({ "test.many_0_0"()' in renamed


@irdl_op_definition
class TwiceOp(IRDLOperation):
    name = "test.twice"
    irdl_options = (SameVariadicOperandSize(),)
    xs = var_operand_def()
    zs = var_operand_def()


def test_two_variadic_operands_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`test\.twice` has more than one variadic operand"):
        export_irdl([Dialect("test", [TwiceOp], [])], [Form("test.twice", 2, 0)])


def test_values_of_the_nn_dialect_are_tensors() -> None:
    text = export_irdl([Nn], [Form("nn.concat", 2, 1)])
    for op in ("add", "concat_2_1"):
        body = text.partition(f"irdl.operation @{op} {{")[2].partition("\n  }\n")[0]
        assert body.count('irdl.base "!builtin.tensor"') == 3


def test_ops_whose_blocks_need_no_terminator_or_see_nothing_outside() -> None:
    forms = [Form("nn.fusion", 2, 1)]
    nested = ["agent.graph", "agent.agent_call", "agent.map", "plan.plan"]
    assert ops_with(NoTerminator, our_dialects(), forms) == [*nested, "nn.fusion_2_1"]
    assert ops_with(IsolatedFromAbove, our_dialects(), forms) == ["nn.fusion_2_1"]
