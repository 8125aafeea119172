"""Builds a network op by op: weights by name, rows of (tokens, width), and a scope that says where each op belongs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from xdsl.dialects.builtin import Float8E4M3FNType, NameLoc, NoneAttr, StringAttr, f32, i64
from xdsl.ir import Attribute, Block, SSAValue

from ... import nn
from ...diagnostics import Diagnostic, InputError

BLOCK_OF_FP8 = 128
"""rows and columns that share a scale in fp8 checkpoints (arXiv:2412.19437, section 3.3.2)"""


@dataclass
class Network:
    """
    The body of `main` while it is written.

    Activations are rows, (batch x sequence, width), so that a linear layer is one `nn.gemm`; weights have the names and
    shapes of the checkpoint, those of the experts of a layer stacked.
    """

    batch: int
    sequence: int
    element: Attribute
    """of weights and activations"""
    fp8: bool = False
    """linear layers have fp8 weights with a scale for each square of 128 x 128"""
    block: Block = field(default_factory=Block)
    inputs: list[str] = field(default_factory=list)
    outputs: dict[str, SSAValue] = field(default_factory=dict)
    weights: dict[str, SSAValue] = field(default_factory=dict)
    scope: str = ""

    @property
    def rows(self) -> int:
        """Tokens: batch x sequence."""
        return self.batch * self.sequence

    @contextmanager
    def inside(self, *names: str | int) -> Iterator[None]:
        """Names of weights and ops made within begin with `names`, joined by dots."""
        outer, self.scope = self.scope, ".".join(filter(None, (self.scope, *map(str, names))))
        yield
        self.scope = outer

    def input(self, name: str, shape: Sequence[int], element: Attribute | None = None) -> SSAValue:
        """A new input of the network."""
        arg = self.block.insert_arg(nn.tensor(element or self.element, shape), len(self.block.args), _name(name))
        self.inputs.append(name)
        return arg

    def ids(self, name: str) -> SSAValue:
        """An input of one integer for each token: (batch, sequence)."""
        return self.input(name, (self.batch, self.sequence), i64)

    def emit(self, op: type[nn.TensorOp], *operands: SSAValue | None, **given: object) -> SSAValue:
        """The first result of a new `op`."""
        return self.emit_all(op, *operands, **given)[0]

    def emit_all(self, op: type[nn.TensorOp], *operands: SSAValue | None, **given: object) -> Sequence[SSAValue]:
        """The results of a new `op`."""
        made = op.make(*operands, **given)  # type: ignore[arg-type]
        made.location = _name(self.scope or "network")
        self.block.add_op(made)
        return made.results

    def weight(self, name: str, *shape: int, element: Attribute | None = None) -> SSAValue:
        """The weight `name` of the scope, made at its first use."""
        full = ".".join(filter(None, (self.scope, name)))
        if full not in self.weights:
            type = nn.tensor(element or self.element, shape)
            self.weights[full] = self.emit(nn.WeightOp, type=type, weight=full)
        return self.weights[full]

    def matrix(self, name: str, *shape: int) -> SSAValue:
        """The matrix `name` of a linear layer, or a stack of them; of fp8 checkpoints with its scales worked in."""
        if not self.fp8:
            return self.weight(name, *shape)
        block = (1,) * (len(shape) - 2) + (BLOCK_OF_FP8, BLOCK_OF_FP8)
        few = self.weight(name, *shape, element=Float8E4M3FNType())
        sizes = [-(-size // of) for size, of in zip(shape, block, strict=True)]
        scale = self.weight(f"{name}_scale_inv", *sizes, element=f32)
        return self.cast(self.emit(nn.DequantiseOp, few, scale, block=block), self.element)

    def linear(self, x: SSAValue, name: str, width: int, bias: bool = False) -> SSAValue:
        """x w^T + bias for rows x, with w (width, in) as checkpoints keep it."""
        w = self.matrix(f"{name}.weight", width, nn.shape_of(x)[1])
        return self.emit(nn.GemmOp, x, w, self.weight(f"{name}.bias", width) if bias else None, transpose_b=1)

    def layer_norm(self, x: SSAValue, name: str, epsilon: float) -> SSAValue:
        """Layer norm of the last axis."""
        axis = len(nn.shape_of(x)) - 1
        parameters = [self.weight(f"{name}.{each}", nn.shape_of(x)[-1]) for each in ("weight", "bias")]
        return self.emit(nn.LayerNormOp, x, *parameters, axis=axis, epsilon=epsilon)

    def rms_norm(self, x: SSAValue, name: str, epsilon: float, plus_one: bool = False) -> SSAValue:
        """RMS norm of the last axis, scaled by the weight, or by one more than it."""
        scale = self.weight(f"{name}.weight", nn.shape_of(x)[-1])
        scale = self.emit(nn.AddOp, scale, self.scalar(1.0)) if plus_one else scale
        return self.emit(nn.RmsNormOp, x, scale, axis=len(nn.shape_of(x)) - 1, epsilon=epsilon)

    def embedding(self, ids: SSAValue, name: str, count: int, width: int) -> SSAValue:
        """The rows of the table `name` that `ids` name."""
        return self.emit(nn.GatherOp, self.weight(f"{name}.weight", count, width), ids, axis=0)

    def check_places(self, places: int, past: int = 0) -> None:
        """InputError where the tokens are known to be more than the learned `places`."""
        tokens = self.sequence + past
        if not isinstance(tokens, nn.Size) and tokens > places:
            raise InputError(
                [Diagnostic("config", f"{tokens} tokens are more than the {places} places of the network")]
            )

    def scalar(self, value: float, element: Attribute | None = None) -> SSAValue:
        """A constant."""
        return self.emit(nn.FillOp, value=value, type=nn.tensor(element or self.element, ()))

    def scaled(self, x: SSAValue, factor: float) -> SSAValue:
        """x times a constant of its element type."""
        return self.emit(nn.MulOp, x, self.scalar(factor, nn.tensor_type(x).element_type))

    def cast(self, x: SSAValue, element: Attribute) -> SSAValue:
        """x as another element type."""
        if nn.tensor_type(x).element_type == element:
            return x
        return self.emit(nn.CastOp, x, type=nn.tensor(element, nn.shape_of(x)))

    def reshape(self, x: SSAValue, *shape: int) -> SSAValue:
        """The same elements in another shape."""
        return self.emit(nn.ReshapeOp, x, type=nn.with_shape(x, shape))

    def split(self, x: SSAValue, *sizes: int) -> Sequence[SSAValue]:
        """Pieces of the last axis."""
        return self.emit_all(nn.SplitOp, x, axis=len(nn.shape_of(x)) - 1, sizes=sizes)

    def heads(self, x: SSAValue, count: int) -> SSAValue:
        """Rows (batch x sequence, count x width) as (batch, count, sequence, width)."""
        width = nn.shape_of(x)[1] // count
        apart = self.reshape(x, self.batch, nn.shape_of(x)[0] // self.batch, count, width)
        return self.emit(nn.TransposeOp, apart, permutation=(0, 2, 1, 3))

    def merged(self, x: SSAValue) -> SSAValue:
        """(batch, count, sequence, width) as rows again."""
        batch, count, sequence, width = nn.shape_of(x)
        together = self.emit(nn.TransposeOp, x, permutation=(0, 2, 1, 3))
        return self.reshape(together, batch * sequence, count * width)

    def finish(self) -> nn.NnModule:
        """The network, its weights without values."""
        module = nn.build_main(self.block, list(self.outputs.values()))
        return nn.NnModule(module, {}, tuple(self.inputs), tuple(self.outputs))


def _name(text: str) -> NameLoc:
    return NameLoc(StringAttr(text), NoneAttr())
