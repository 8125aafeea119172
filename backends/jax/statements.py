"""The body of the emitted function: one statement for each operator, with its shape beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from xdsl.dialects.func import ReturnOp
from xdsl.ir import Operation, SSAValue

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from ...passes.locations import located
from ..python_text import Brackets, Expression, Scalar, fits, lay_out, prefixed
from .axes import AxisNames
from .names import Names
from .operators import EXPRESSIONS, SEVERAL, layer_of
from .repeats import Layer, inlined
from .scalars import INTEGER_DIV, apply, is_integer_div, literal
from .weights import UsedWeights

SHORT = 20
"""characters of an operand that stays inside an operator which is too long for its line"""


@dataclass(frozen=True)
class LayerCall:
    """The call of a layer's function, in place of the ops of the layer."""

    layer: Layer
    expression: Callable[[Sequence[str]], Expression]
    """the call, for the texts of the arguments"""
    layers: frozenset[str]
    """the functions of the library that it needs"""


class Body:
    """
    Writes the statements of `main` in order.

    A value that the next statement alone uses flows on in one variable, `x` (`y` if an input is called `x`); every
    other value gets a numbered name of its kind. Weights, reshaped weights and scalars stand where they are used.
    `calls` are expressions of single ops, in place of those of their kind; `layers` are calls in place of many.
    `kept` are values that somebody else reads when all is written.
    """

    def __init__(
        self,
        ops: Sequence[Operation],
        names: Names,
        weights: UsedWeights,
        axes: AxisNames,
        calls: Mapping[Operation, Callable[[Body], Expression]] = MappingProxyType({}),
        layers: Sequence[LayerCall] = (),
        kept: Sequence[SSAValue] = (),
    ) -> None:
        self._kept = frozenset(kept)
        self._names, self._weights, self._axes, self._calls = names, weights, axes, calls
        self._call_of = {op: call for call in layers for op in call.layer.ops}
        statements = (self._call_of.get(op, op) for op in ops if not inlined(op))
        self._statements: list[Operation | LayerCall] = list(dict.fromkeys(statements))
        self._text: dict[SSAValue, str] = {}
        self._flow = names.claim("x", "y")
        self.lines: list[str] = []
        self.layers: set[str] = set()

    def bind(self, value: SSAValue, name: str) -> None:
        """Let `value` be called `name`."""
        self._text[value] = name

    def text(self, value: SSAValue) -> str:
        """What stands for `value`, which was written or is a weight or a number."""
        return self._scalar(value).text

    def write(self) -> None:
        """Fill `lines`, and `layers` with the names of the functions that they call."""
        followers = [*self._statements[1:], None]
        for op, follower in zip(self._statements, followers, strict=True):
            if isinstance(op, ReturnOp):
                self.write_return(op.operands)
            elif isinstance(op, LayerCall):
                self._write_call(op, follower)
            else:
                try:
                    self._write_op(op, follower)
                except InputError as error:
                    raise located(error, op) from error

    def _write_call(self, call: LayerCall, follower: Operation | LayerCall | None) -> None:
        results, shown = call.layer.results, ", ".join(map(self._axes.shown, call.layer.results))
        if len(results) == 1:
            names = [self._result_name(results[0], "out", follower)]
        else:
            read = [any(self._call_of.get(use.operation) is not call for use in result.uses) for result in results]
            names = [self._names.number("out") if each else "_" for each in read]
        self.layers |= call.layers
        expression = call.expression([self.text(arg) for arg in call.layer.args])
        self.lines += lay_out(prefixed(f"{', '.join(names)} = ", expression), shown)
        self._text.update(zip(results, names, strict=True))

    def _write_op(self, op: Operation, follower: Operation | LayerCall | None) -> None:
        if type(op) in SEVERAL:
            return self._write_several(op)
        name = self._name(op, follower)
        if op in self._calls:
            self._assign(name, self._calls[op](self), op)
            self._text[op.results[0]] = name
            return None
        if isinstance(op, nn.ElementwiseOp | nn.FusedElementwiseOp):
            kinds = [op.kind] if isinstance(op, nn.ElementwiseOp) else [kind for kind, _ in op.chain]
            self.layers |= {INTEGER_DIV for kind in kinds if is_integer_div(kind, op.type)}
        if isinstance(op, nn.FusedElementwiseOp):
            self._write_chain(op, name)
        elif isinstance(op, nn.ElementwiseOp):
            self._write_step(name, op.kind, [self._scalar(o) for o in op.operands], op)
        elif type(op) in EXPRESSIONS:
            if (layer := layer_of(op)) is not None:
                self.layers.add(layer)
            self._write_layer(name, op)
        else:
            raise InputError([Diagnostic("jax-op", f"there is no JAX code for operator `{op.name}`")])
        self._text[op.results[0]] = name
        return None

    def _write_several(self, op: Operation) -> None:
        names = [self._names.number(_kind(op)) if result.uses else "_" for result in op.results]
        if (layer := layer_of(op)) is not None:
            self.layers.add(layer)
        self._write_layer(", ".join(names) if len(names) > 1 else f"({names[0]},)", op)
        self._text.update(zip(op.results, names, strict=True))

    def _name(self, op: Operation, follower: Operation | LayerCall | None) -> str:
        return self._result_name(op.results[0], _kind(op), follower)

    def _result_name(self, result: SSAValue, kind: str, follower: Operation | LayerCall | None) -> str:
        users = {self._call_of.get(use.operation, use.operation) for use in result.uses}
        flows = users == {follower} and result not in self._kept
        return self._flow if flows else self._names.number(kind)

    def _operands(self, op: Operation) -> list[str]:
        vectors = [o.owner for o in op.operands[1:]]
        if isinstance(op, nn.BatchNormOp) and all(isinstance(v, nn.WeightOp) for v in vectors):
            packed = self._weights.packed_text([v for v in vectors if isinstance(v, nn.WeightOp)])
            if packed:
                return [self._scalar(op.x).text, packed]
        return [self._scalar(o).text for o in op.operands]

    def _scalar(self, value: SSAValue) -> Scalar:
        if value in self._text:
            return Scalar(self._text[value])
        match value.owner:
            case nn.WeightOp() as weight:
                return Scalar(self._weights.text(weight))
            case nn.FillOp() as fill:
                return literal(nn.number(fill.value), fill.type)
            case nn.ReshapeOp() as reshape:
                return Scalar(str(EXPRESSIONS[nn.ReshapeOp](reshape, [self._scalar(reshape.x).text])))
        raise InputError([Diagnostic("jax-op", f"the input of `{value}` comes from nowhere")])

    def _write_chain(self, op: nn.FusedElementwiseOp, name: str) -> None:
        """One expression if it fits on the line and no step is used twice, else a statement for each step."""
        values = [self._scalar(o) for o in op.operands]
        chain, first = op.chain, len(values)
        used = [arg for _, args in chain for arg in args]
        for kind, args in chain:
            values.append(apply(kind, [values[a] for a in args], op.type))
        shared = any(used.count(first + step) > 1 for step in range(len(chain) - 1))
        if not shared and fits(f"{name} = {values[-1].text}", self._shape(op)):
            return self._assign(name, values[-1].text, op)
        del values[first:]
        for step, (kind, args) in enumerate(chain):
            last = step == len(chain) - 1
            later = [a for _, arguments in chain[step + 1 :] for a in arguments]
            flows = not last and self._may_flow(first + step, chain[step + 1][1], later, values)
            variable = name if last else self._flow if flows else self._names.number(kind)
            self._write_step(variable, kind, [values[a] for a in args], op)
            values.append(Scalar(variable))
        return None

    def _may_flow(self, value: int, next_arguments: nn.Shape, later: list[int], values: Sequence[Scalar]) -> bool:
        """Whether the next step alone uses `value`, and no later one what the flowing variable holds before it."""
        alone = later.count(value) == next_arguments.count(value) > 0
        return alone and not any(a < len(values) and values[a].text == self._flow for a in later)

    def _write_step(self, name: str, kind: str, values: Sequence[Scalar], op: nn.TensorOp) -> None:
        text = apply(kind, values, op.type).text
        if not fits(f"{name} = {text}", self._shape(op)):
            text = apply(kind, [Scalar(self._short(v.text)) for v in values], op.type).text
        self._assign(name, text, op)

    def _write_layer(self, name: str, op: Operation) -> None:
        express, operands = EXPRESSIONS[type(op)], self._operands(op)
        expression = express(op, operands)
        if isinstance(expression, str) and not fits(f"{name} = {expression}", self._shape(op)):
            expression = express(op, [self._short(text) for text in operands])
        self._assign(name, expression, op)

    def _short(self, text: str) -> str:
        """`text` where it is a name or a number, else a new variable that holds its value."""
        if len(text) <= SHORT:
            return text
        name = self._names.number("weight")
        self.lines += lay_out(f"{name} = {text}")
        return name

    def _assign(self, name: str, expression: Expression, op: Operation) -> None:
        self.lines += lay_out(prefixed(f"{name} = ", expression), self._shape(op))

    def _shape(self, op: Operation) -> str:
        return ", ".join(dict.fromkeys(self._axes.shown(result) for result in op.results))

    def write_return(self, values: Sequence[SSAValue]) -> None:
        """The last line: what the function gives."""
        line = f"return {', '.join(map(self.text, values))}"
        split = Brackets("return (", tuple(map(self.text, values)), ")") if len(values) > 1 else line
        self.lines += lay_out(line if fits(line) else split)


def _kind(op: Operation) -> str:
    """What a variable for the result is named after; a chain goes by its last step."""
    return op.chain[-1][0] if isinstance(op, nn.FusedElementwiseOp) else op.name.removeprefix("nn.")
