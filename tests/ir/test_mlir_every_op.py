"""
Every op of every dialect, made from its definition alone: MLIR accepts it as it is, and refuses it with one fault.

Faults: a required attribute missing, any attribute of another kind, an operand or a result too many or too few, one of
`nn` that is no tensor, a region too many.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pytest
from xdsl.ir import Attribute
from xdsl.irdl import (
    AllOf,
    AttrConstraint,
    BaseAttr,
    IRDLOperation,
    MessageConstraint,
    OptAttributeDef,
    OptionalDef,
    VariadicDef,
)

from dovetail.ir import mlir
from dovetail.ir.diagnostics import InputError
from dovetail.ir.mlir import find_bindings, our_dialects, verify_in_mlir
from dovetail.ir.nn import TensorOp

BINDINGS = find_bindings()
pytestmark = pytest.mark.skipif(BINDINGS is None or BINDINGS.irdl is None, reason=mlir.INSTALL)

OPS = [op for dialect in our_dialects() for op in dialect.operations if issubclass(op, IRDLOperation)]
TENSOR, OTHER = "tensor<2xf32>", "tensor<3xf32>"
MANY = 3
"""values that a variadic operand or result stands for here"""
SAMPLES = {
    "integer": "1 : i64",
    "float": "1.0 : f64",
    "string": '"s"',
    "array": "[]",
    "dictionary": "{}",
    "symbol_ref": "@s",
    "unit": "unit",
    "array_dense": "array<i64: 1>",
    "agent.dist": '#agent.dist<"point", [1.0], 0.0>',
}
SAYS = {
    "missing": "is expected but not provided",
    "of another kind": "expected base attribute",
    "too many": r"exactly \d+|at most \d+|number of regions",
    "too few": r"exactly \d+|at least \d+",
    "no tensor": "expected base type 'builtin.tensor'",
}
"""What is wrong -> what MLIR says."""


@dataclass(frozen=True)
class Sample:
    """An op as text in parts; `fault` says what is wrong with it."""

    op: type[IRDLOperation]
    attributes: dict[str, str]
    operands: tuple[str, ...]
    results: tuple[str, ...]
    regions: int
    fault: str = ""

    def text(self) -> str:
        """A module that holds the op in a function with an argument for each operand."""
        given = ", ".join(f"%x{i}: {type}" for i, type in enumerate(self.operands))
        values = ", ".join(f"%x{i}" for i in range(len(self.operands)))
        made = ", ".join(f"%y{i}" for i in range(len(self.results)))
        regions = f" ({', '.join(['{^bb0:}'] * self.regions)})" if self.regions else ""
        attributes = ", ".join(f"{name} = {value}" for name, value in self.attributes.items())
        types = f"({', '.join(self.operands)}) -> ({', '.join(self.results)})"
        op = f'{made}{" = " if made else ""}"{self.op.name}"({values}){regions} {{{attributes}}} : {types}'
        return f"func.func @main({given}) {{\n  {op}\n  func.return\n}}\n"


def kind_of(constraint: AttrConstraint) -> str:
    """The key into SAMPLES of what `constraint` wants."""
    if isinstance(constraint, MessageConstraint):
        return kind_of(constraint.constr)
    if isinstance(constraint, AllOf):
        return kind_of(constraint.attr_constrs[0])
    assert isinstance(constraint, BaseAttr), constraint
    attribute: type[Attribute] = constraint.attr
    return "array_dense" if attribute.__name__ == "DenseArrayBase" else attribute.name


def is_many(field: object) -> bool:
    """Whether a field stands for any number of values."""
    return isinstance(field, VariadicDef) and not isinstance(field, OptionalDef)


def sample(op: type[IRDLOperation]) -> Sample:
    """`op` as its definition wants it; optional operands are there, of variadic ones MANY, of different types."""
    definition = op.get_irdl_definition()
    required = {name: d for name, d in definition.attributes.items() if not isinstance(d, OptAttributeDef)}

    def types(fields: Sequence[tuple[str, object]]) -> tuple[str, ...]:
        return tuple(TENSOR if i % 2 else OTHER for _, d in fields for i in range(MANY if is_many(d) else 1))

    attributes = {name: SAMPLES[kind_of(d.constr)] for name, d in required.items()}
    return Sample(op, attributes, types(definition.operands), types(definition.results), len(definition.regions))


def faults(good: Sample) -> Iterator[Sample]:
    """`good` with one fault each."""
    for name, value in good.attributes.items():
        rest = {key: other for key, other in good.attributes.items() if key != name}
        yield replace(good, attributes=rest, fault=f"{name}: missing")
        wrong = SAMPLES["integer" if value == SAMPLES["string"] else "string"]
        yield replace(good, attributes=rest | {name: wrong}, fault=f"{name}: of another kind")
    definition = good.op.get_irdl_definition()
    for name, d in definition.attributes.items():
        if isinstance(d, OptAttributeDef):
            wrong = SAMPLES["integer" if kind_of(d.constr) == "string" else "string"]
            yield replace(good, attributes=good.attributes | {name: wrong}, fault=f"{name}: of another kind")
    for field, found in (("operands", definition.operands), ("results", definition.results)):
        values, least = getattr(good, field), sum(not isinstance(d, VariadicDef) for _, d in found)
        if not any(is_many(d) for _, d in found):
            yield replace(good, **{field: (*values, TENSOR)}, fault=f"{field}: too many")
        if least:
            yield replace(good, **{field: values[: least - 1]}, fault=f"{field}: too few")
        for i in range(len(values)) if issubclass(good.op, TensorOp) else ():
            yield replace(good, **{field: (*values[:i], "f32", *values[i + 1 :])}, fault=f"{field} {i}: no tensor")
    yield replace(good, regions=good.regions + 1, fault="regions: too many")


@pytest.mark.parametrize("op", OPS, ids=[op.name for op in OPS])
def test_mlir_refuses_each_fault(op: type[IRDLOperation]) -> None:
    good = sample(op)
    verify_in_mlir(good.text())
    for bad in faults(good):
        with pytest.raises(InputError) as caught:
            verify_in_mlir(bad.text())
        message = caught.value.diagnostics[0].message
        assert re.search(SAYS[bad.fault.partition(": ")[2]], message), f"{bad.fault}: {message}\n{bad.text()}"
