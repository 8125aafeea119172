"""What follows a product in its kernel: elementwise ops as a function of the product and of tensors beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.ir import Operation, SSAValue

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from ..jax.scalars import FUNCTIONS, literal
from ..python_text import Scalar, arithmetic

NOT_IN_KERNELS = ("expm1", "sign")
"""scalar functions that Pallas has no operation for on a TPU, or none without one (JAX 0.10.2)"""
OWN = {"gelu": "gelu"}
"""scalar functions that `kernels/activations.py` has in place of JAX's"""
IN_KERNELS = {**{kind: text for kind, text in FUNCTIONS.items() if kind not in NOT_IN_KERNELS}, **OWN}
INFIX = ("add", "sub", "mul", "div", "neg")
LONG = 60
"""characters of an expression that gets a line of its own"""
NAMES = "abcdefgh"


@dataclass(frozen=True)
class Epilogue:
    """A function, by name or with its text, and what it takes beside the product."""

    function: str
    """`jax.nn.relu`; empty where `parameters` and `lines` say what it is"""
    parameters: tuple[str, ...]
    lines: tuple[str, ...]
    beside: tuple[SSAValue, ...]

    @property
    def own(self) -> set[str]:
        """Functions of `kernels/activations.py` that it calls."""
        text = "\n".join([self.function, *self.lines])
        return {name for name in OWN.values() if f"{name}(" in text.replace(f".{name}(", "") or self.function == name}


def epilogue_of(
    product: SSAValue, steps: Sequence[Operation], outer: Callable[[SSAValue], SSAValue]
) -> Epilogue | None:
    """
    The function that `steps` are of `product`, None without steps; `outer` says what a value is outside the fusion.

    InputError for an op or a scalar function that no kernel computes.
    """
    if not steps:
        return None
    writer = _Writer(product, steps, outer)
    last = writer.result()
    (first, *more) = writer.kinds
    alone = not more and not writer.beside and "{}" not in IN_KERNELS.get(first, "{}") and len(steps[0].operands) == 1
    if alone:
        return Epilogue(IN_KERNELS[first], (), (), ())
    names = ("y", *NAMES[: len(writer.beside)])
    return Epilogue("", names, (*writer.lines, f"    return {last.text}"), tuple(writer.beside))


class _Writer:
    """Expressions of values; one that is long or used twice gets a line and a name."""

    def __init__(self, product: SSAValue, steps: Sequence[Operation], outer: Callable[[SSAValue], SSAValue]) -> None:
        self.lines: list[str] = []
        self.beside: list[SSAValue] = []
        self.kinds: list[str] = []
        self._steps, self._outer = steps, outer
        self._text: dict[SSAValue, Scalar] = {product: Scalar("y")}

    def result(self) -> Scalar:
        """The text of the last step."""
        made = Scalar("y")
        for step in self._steps:
            if not isinstance(step, nn.ElementwiseOp | nn.FusedElementwiseOp):
                raise _refused(step.name)
            given = [self._operand(value) for value in step.operands]
            fused = isinstance(step, nn.FusedElementwiseOp)
            chain = step.chain if fused else [(step.kind, tuple(range(len(given))))]
            uses = [argument for _, arguments in chain for argument in arguments]
            for kind, arguments in chain:
                if kind not in IN_KERNELS and kind not in INFIX:
                    raise _refused(f"nn.{kind}")
                self.kinds.append(kind)
                made = arithmetic(kind, [given[a] for a in arguments], IN_KERNELS)
                given.append(self._named(made) if uses.count(len(given)) > 1 or len(made.text) > LONG else made)
            made = given[-1]
            several = len(list(step.results[0].uses)) > 1
            self._text[step.results[0]] = self._named(made) if several else made
        return made

    def _named(self, value: Scalar) -> Scalar:
        name = f"y{len(self.lines) + 1}"
        self.lines.append(f"    {name} = {value.text}")
        return Scalar(name)

    def _operand(self, value: SSAValue) -> Scalar:
        if value in self._text:
            return self._text[value]
        outside = self._outer(value)
        match outside.owner:
            case nn.FillOp() as fill if not nn.shape_of(fill.result):
                return literal(nn.number(fill.value), fill.type)
        if outside not in self.beside:
            if len(self.beside) == len(NAMES):
                raise InputError([Diagnostic("pallas-op", "more is beside a product than its kernel takes")])
            self.beside.append(outside)
        return Scalar(NAMES[self.beside.index(outside)])


def _refused(name: str) -> InputError:
    return InputError([Diagnostic("pallas-op", f"no kernel computes `{name}` behind a product")])
