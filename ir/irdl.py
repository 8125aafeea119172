"""Our dialects as IRDL text, so that MLIR itself can verify the modules that we print.

IRDL says: which attributes an op must have and of which kind, how many operands, results and regions, and their types.
It cannot say: the length of an array, that no attribute is there but those named, verifier code, traits. Those stay
with xDSL's verifier; `ops_with` lists those of a trait that MLIR must be told of.

Nor has it optional attributes, and MLIR holds all values of a variadic operand to the type of the first, where ours may
differ. So an op that has either is defined once for each way in which a module uses it, its `Form`, under a name of its
own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from xdsl.dialects.builtin import DenseArrayBase
from xdsl.ir import Attribute, Dialect, Operation, TypeAttribute
from xdsl.irdl import (
    AllOf,
    AnyAttr,
    AnyOf,
    AttrConstraint,
    BaseAttr,
    EqAttrConstraint,
    IRDLOperation,
    MessageConstraint,
    OpDef,
    OperandDef,
    OptAttributeDef,
    OptionalDef,
    ParamAttrConstraint,
    ParamAttrDef,
    ParametrizedAttribute,
    RangeConstraint,
    RangeLengthConstraint,
    RangeOf,
    RegionDef,
    ResultDef,
    SingleBlockRegionDef,
    SingleOf,
    VarConstraint,
    VariadicDef,
)
from xdsl.traits import OpTrait

from .nn.base import TensorOp

BUILTIN_NAMES = {
    "array": "array",
    "dense": "dense_typed_elements",
    "dictionary": "dictionary",
    "float": "float",
    "fun": "function",
    "function": "function",
    "integer": "integer",
    "integer_type": "integer",
    "string": "string",
    "symbol_ref": "symbol_ref",
    "tensor": "tensor",
    "unit": "unit",
    "memref": "memref",
    "vector": "vector",
    "bf16": "bf16",
    "f16": "f16",
    "f32": "f32",
    "f64": "f64",
    "index": "index",
}
"""xDSL's name of a builtin attribute or type -> MLIR's, without `builtin.`; others are not constrained."""

Values = tuple[str, OperandDef | ResultDef]
"""A field of an op: its name, and what operands or results it stands for."""


@dataclass
class _Body:
    """The lines of one `irdl.operation` or `irdl.attribute`, with a counter for its SSA names."""

    otherwise: str = "irdl.any"
    """what operands and results are that the definition does not constrain: every value of `nn` is a tensor"""
    lines: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)

    def add(self, text: str) -> str:
        """One line that defines a value; returns the value's name."""
        name = f"%{len([line for line in self.lines if ' = ' in line and line.startswith('%')])}"
        self.lines.append(f"{name} = {text}")
        return name

    def constraint(self, constraint: AttrConstraint) -> str:
        """Lines for `constraint`, or for `irdl.any` where IRDL cannot say it; the name of the value."""
        return self._named(self._text(constraint) or "irdl.any")

    def _named(self, text: str) -> str:
        """The value that `text` defines, or is already."""
        return text if text.startswith("%") else self.add(text)

    def _text(self, constraint: AttrConstraint) -> str | None:
        match constraint:
            case VarConstraint():  # one SSA value used twice means equal, as one variable does
                if constraint.name not in self.variables:
                    self.variables[constraint.name] = self.constraint(constraint.constraint)
                return self.variables[constraint.name]
            case MessageConstraint():
                return self._text(constraint.constr)
            case EqAttrConstraint():
                return f"irdl.is {constraint.attr}"
            case BaseAttr():
                return _base(constraint.attr)
            case ParamAttrConstraint():
                return self._parametric(constraint)
            case AnyOf():
                texts = [self._text(each) for each in constraint.attr_constrs]
                return None if None in texts else self._join("any_of", texts)
            case AllOf():
                return self._join("all_of", [self._text(each) for each in constraint.attr_constrs])
        return None

    def _join(self, how: str, texts: Iterable[str | None]) -> str | None:
        """`irdl.any_of` or `irdl.all_of` the constraints that IRDL can say; None where there is none."""
        values = [self._named(text) for text in dict.fromkeys(texts) if text]
        return f"irdl.{how}({', '.join(values)})" if len(values) > 1 else next(iter(values), None)

    def _parametric(self, constraint: ParamAttrConstraint) -> str | None:
        base = _base(constraint.base_attr)
        if base is None or not base.startswith("irdl.base @"):
            return base
        parameters = ", ".join(self.constraint(each) for each in constraint.param_constrs)
        return f"irdl.parametric {base.removeprefix('irdl.base ')}<{parameters}>"

    def list_of(self, fields: Iterable[tuple[str, str]], keyword: str) -> None:
        """`irdl.operands(x: %0, y: %1)` and its like; nothing for no fields."""
        items = ", ".join(f"{name}: {value}" for name, value in fields)
        if items:
            self.lines.append(f"irdl.{keyword}({items})")


@dataclass(frozen=True, order=True)
class Form:
    """An op with so many operands and results, and those of its optional attributes."""

    op: str
    operands: int
    results: int
    optional: tuple[str, ...] = ()
    """sorted"""

    @property
    def name(self) -> str:
        """What MLIR is told that the op is called."""
        return "_".join([self.op, str(self.operands), str(self.results), *self.optional])


def export_irdl(dialects: Iterable[Dialect], forms: Iterable[Form] = ()) -> str:
    """A module that defines `dialects`, and the `forms` of their ops; `variadic_ops` in these alone.

    ValueError for what MLIR could not read back: properties, successors, a variadic region, two variadic operands.
    """
    found = sorted(forms)
    return "\n".join(_dialect(dialect, found) for dialect in dialects)


def ops_with(trait: type[OpTrait], dialects: Iterable[Dialect], forms: Iterable[Form] = ()) -> list[str]:
    """Names of the ops of `dialects` that have `trait`, and of the `forms` of these; `variadic_ops` in these alone."""
    having = [op for dialect in dialects for op in dialect.operations if op.has_trait(trait)]
    named = [form.name for form in sorted(forms) if any(op.name == form.op for op in having)]
    return [op.name for op in having if not _is_variadic(op)] + named


def variadic_ops(dialects: Iterable[Dialect]) -> frozenset[str]:
    """Names of the ops that take any number of operands or give any number of results, whose types may differ."""
    return frozenset(op.name for dialect in dialects for op in dialect.operations if _is_variadic(op))


def optional_attributes(dialects: Iterable[Dialect]) -> dict[str, frozenset[str]]:
    """The names of the optional attributes of each op, by the op's name."""
    return {op.name: _optional(op) for dialect in dialects for op in dialect.operations}


def _optional(op: type[Operation]) -> frozenset[str]:
    assert issubclass(op, IRDLOperation)
    attributes = op.get_irdl_definition().attributes
    return frozenset(name for name, each in attributes.items() if isinstance(each, OptAttributeDef))


def _is_variadic(op: type[Operation]) -> bool:
    assert issubclass(op, IRDLOperation)
    definition = op.get_irdl_definition()
    return any(_is_many(each) for _, each in (*definition.operands, *definition.results))


def _is_many(field: object) -> bool:
    return isinstance(field, VariadicDef) and not isinstance(field, OptionalDef)


def _dialect(dialect: Dialect, forms: Sequence[Form]) -> str:
    parts = [f"irdl.dialect @{dialect.name} {{"]
    for attribute in dialect.attributes:
        if issubclass(attribute, ParametrizedAttribute):
            kind = "type" if issubclass(attribute, TypeAttribute) else "attribute"
            parts += _block(kind, _local(attribute.name), _parameters(attribute.get_irdl_definition()))
    for op in dialect.operations:
        if not _is_variadic(op):
            parts += _block("operation", _local(op.name), _operation(op))
        for form in forms:
            if form.op == op.name:
                parts += _block("operation", _local(form.name), _operation(op, form))
    return "\n".join([*parts, "}", ""])


def _block(kind: str, name: str, body: _Body) -> list[str]:
    return [f"  irdl.{kind} @{name} {{", *(f"    {line}" for line in body.lines), "  }"]


def _parameters(definition: ParamAttrDef) -> _Body:
    body = _Body()
    body.list_of([(name, body.constraint(param.constr)) for name, param in definition.parameters], "parameters")
    return body


def _operation(op: type[Operation], form: Form | None = None) -> _Body:
    assert issubclass(op, IRDLOperation)
    definition = op.get_irdl_definition()
    body = _Body(otherwise='irdl.base "!builtin.tensor"' if issubclass(op, TensorOp) else "irdl.any")
    if definition.properties or definition.successors:
        raise ValueError(f"`{op.name}` has properties or successors, which IRDL dialects in MLIR have not")
    _attributes(definition, body, form.optional if form else ())
    for keyword, fields in (("operands", definition.operands), ("results", definition.results)):
        single = fields if form is None else _spread(op.name, fields, getattr(form, keyword))
        values = [(name, _variadicity(each) + _value(body, each.constr)) for name, each in single]
        body.list_of(values, keyword)
    body.list_of([(name, _region(op, body, region)) for name, region in definition.regions], "regions")
    return body


def _spread(op: str, fields: Sequence[Values], count: int) -> list[Values]:
    """`fields` with the variadic one as so many of one value that there are `count` in all, or none of it if less."""
    many = [name for name, each in fields if _is_many(each)]
    if len(many) > 1:
        raise ValueError(f"`{op}` has more than one variadic operand or result, which MLIR could not tell apart")
    times = max(0, count - (len(fields) - len(many)))
    return [
        (f"{name}_{i}" if name in many else name, each)
        for name, each in fields
        for i in range(times if name in many else 1)
    ]


def _attributes(definition: OpDef, body: _Body, optional: Sequence[str]) -> None:
    there = {
        name: each
        for name, each in definition.attributes.items()
        if name in optional or not isinstance(each, OptAttributeDef)
    }
    items = ", ".join(f'"{name}" = {body.constraint(each.constr)}' for name, each in there.items())
    if items:
        body.lines.append(f"irdl.attributes {{{items}}}")


def _variadicity(field: object) -> str:
    return "optional " if isinstance(field, OptionalDef) else ""


def _value(body: _Body, constraint: RangeConstraint) -> str:
    """The constraint on an operand or a result, or on an optional one."""
    if isinstance(constraint, RangeLengthConstraint):  # of one value exactly: the count is said elsewhere
        return _value(body, constraint.constraint)
    each = constraint.constr if isinstance(constraint, RangeOf | SingleOf) else None
    return body.add(body.otherwise) if each is None or isinstance(each, AnyAttr) else body.constraint(each)


def _region(op: type[Operation], body: _Body, region: RegionDef) -> str:
    if isinstance(region, VariadicDef):
        raise ValueError(f"`{op.name}` has a variadic region, which IRDL has not")
    return body.add("irdl.region with size 1" if isinstance(region, SingleBlockRegionDef) else "irdl.region")


def _base(attribute: type[Attribute]) -> str | None:
    """`irdl.base` of an attribute or type, by MLIR's name of it; None where it has no such name."""
    if not isinstance(getattr(attribute, "name", None), str):  # an abstract class: no one attribute
        return None
    mark = "!" if issubclass(attribute, TypeAttribute) else "#"
    if attribute is DenseArrayBase:
        return 'irdl.base "#builtin.dense_array"'
    if "." in attribute.name:
        dialect, _, local = attribute.name.partition(".")
        return f"irdl.base @{dialect}::@{local}"
    name = BUILTIN_NAMES.get(attribute.name)
    return f'irdl.base "{mark}builtin.{name}"' if name else None


def _local(name: str) -> str:
    return name.partition(".")[2]
