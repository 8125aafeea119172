"""The function that computes an operator: JAX source, written once for all operators that are alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from xdsl.dialects.func import ReturnOp
from xdsl.ir import Block, Operation, SSAValue

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from ..dtypes import has_wide
from ..jax import layers, transformer_layers
from ..jax.frame import WIDE
from ..jax.names import Names
from ..jax.operators import EXPRESSIONS, LAYERS, SEVERAL, layer_of
from ..jax.scalars import INTEGER_DIV, apply, is_integer_div
from ..jax.taken_apart import taken_apart
from ..python_text import Brackets, Expression, Scalar, lay_out, prefixed

LAYERS_BY_NAME: Mapping[str, Callable[..., Any]] = {
    name: getattr(layers, name, None) or getattr(transformer_layers, name) for name in (*LAYERS.values(), INTEGER_DIV)
}
"""The functions that expressions call."""


@dataclass
class Functions:
    """Collects functions, `conv_1`, `conv_2`, ...; operators with equal source share one."""

    names: Names
    sources: dict[str, str] = field(default_factory=dict)
    """name -> source"""
    layers: set[str] = field(default_factory=set)
    """names of the functions of `backends/jax` that they call"""
    _known: dict[tuple[str, ...], str] = field(default_factory=dict)

    def of(self, op: Operation) -> str:
        """The name of the function for `op`, of its different operands in order; InputError where there is no code."""
        body = _Statements(self.layers).lines(_alone(op))
        kind = op.chain[-1][0] if isinstance(op, nn.FusedElementwiseOp) else op.name.removeprefix("nn.")
        count = len(operands_of(op))
        key = (kind, str(count), str(has_wide(op)), *body)
        if key not in self._known:
            name = self._known[key] = self.names.number(kind)
            self.sources[name] = _definition(name, count, len(op.results), body, has_wide(op))
        return self._known[key]


def operands_of(op: Operation) -> list[SSAValue]:
    """The operands of `op`, each once."""
    return list(dict.fromkeys(op.operands))


def _definition(name: str, operands: int, results: int, body: Sequence[str], wide: bool) -> str:
    parameters = tuple(f"x{i}: Array" for i in range(1, operands + 1))
    result = "Array" if results == 1 else "tuple[Array, ...]"
    head = lay_out(Brackets(f"def {name}(", parameters, f") -> {result}:"), indent=0)
    return "\n".join([*([WIDE] if wide else []), "@jax.jit", *head, *body]) + "\n"


def _alone(op: Operation) -> nn.NnModule:
    """A network of `op` alone, in ops that have an expression."""
    operands = operands_of(op)
    block = Block(arg_types=[operand.type for operand in operands])
    copy = op.clone(dict(zip(operands, block.args, strict=True)))
    block.add_op(copy)
    module = nn.build_main(block, list(copy.results))
    names = tuple(f"x{i}" for i in range(1, len(block.args) + 1))
    return taken_apart(nn.NnModule(module, {}, names, tuple(f"y{i}" for i in range(len(copy.results)))))


class _Statements:
    """The body of a function: a statement for each op, the last one the return."""

    def __init__(self, layers: set[str]) -> None:
        self._layers = layers
        self._names = Names(())
        self._text: dict[SSAValue, str] = {}
        self._found: list[str] = []

    def lines(self, network: nn.NnModule) -> list[str]:
        """The statements of `network`, whose inputs are called x1, x2, ..."""
        block = nn.main_of(network.module).body.block
        self._text = {arg: self._names.claim(f"x{i}") for i, arg in enumerate(block.args, 1)}
        *ops, end = block.ops
        assert isinstance(end, ReturnOp)
        for op in ops:
            expression = self._express(op)
            if op is ops[-1] and tuple(end.operands) == tuple(op.results):
                self._assign("return ", Brackets("tuple(", (expression,), ")") if type(op) in SEVERAL else expression)
                return self._found
            names = [self._names.number("y") for _ in op.results]
            left = f"({names[0]},)" if type(op) in SEVERAL and len(names) == 1 else ", ".join(names)
            self._assign(f"{left} = ", expression)
            self._text.update(zip(op.results, names, strict=True))
        return [*self._found, f"    return {', '.join(self._text[operand] for operand in end.operands)}"]

    def _assign(self, left: str, expression: Expression) -> None:
        self._found += lay_out(prefixed(left, expression))

    def _express(self, op: Operation) -> Expression:
        """What `op` gives; the steps of a chain before its last are assigned first."""
        values = [Scalar(self._text[operand]) for operand in op.operands]
        if isinstance(op, nn.FusedElementwiseOp):
            *steps, (last, arguments) = op.chain
            for kind, given in steps:
                name = self._names.number("y")
                self._assign(f"{name} = ", self._apply(kind, [values[a] for a in given], op))
                values.append(Scalar(name))
            return self._apply(last, [values[a] for a in arguments], op)
        if isinstance(op, nn.ElementwiseOp):
            return self._apply(op.kind, values, op)
        if type(op) not in EXPRESSIONS or isinstance(op, nn.CollectiveOp):
            raise InputError([Diagnostic("scratchpad-op", f"there is no code for operator `{op.name}`")])
        if (layer := layer_of(op)) is not None:
            self._layers.add(layer)
        return EXPRESSIONS[type(op)](op, [value.text for value in values])

    def _apply(self, kind: str, values: Sequence[Scalar], op: nn.TensorOp) -> str:
        if is_integer_div(kind, op.type):
            self._layers.add(INTEGER_DIV)
        return apply(kind, values, op.type).text
