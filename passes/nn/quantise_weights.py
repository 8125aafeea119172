"""`quantise-weights`: weights of products in integers of few bits or in fp8, with a scale for each channel or block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from xdsl.dialects.builtin import Float8E4M3FNType, Float8E5M2Type, IntegerType
from xdsl.ir import Attribute

from ...ir import nn
from ...ir.interpret import evaluate
from .draft import Draft
from .fold_constants import dtype_of
from .nn_pass import NnPass
from .profit import Target, target_of
from .remove_dead_code import RemoveDeadCodePass

LARGEST = {"f8E4M3FN": 448.0, "f8E5M2": 57344.0}
"""Element type -> its largest finite value (OCP 8-bit Floating Point Specification 1.0, table 1)"""
Product = nn.MatmulOp | nn.GemmOp | nn.ConvOp


@dataclass(frozen=True)
class QuantiseWeightsPass(NnPass):
    """
    Keeps the weights of products that may and should be quantised in a `type` (i2 to i8, fp8 or fp8_e5m2), with one
    scale for each output channel, or for each `block` of summands of one.

    before: %y = "nn.matmul"(%x, weight w)
    after:  %y = "nn.fusion"(%x, weight w.q, weight w.scale) ({ dequantise, matmul })

    Promise: what each weight becomes is the nearest value that its scale allows, the scale being the smallest that
    cuts nothing off; activations stay as they are. It changes results: `quantise_weights` says by how much. It sees
    the values of weights, so over text alone it does nothing.
    """

    name: ClassVar[str] = "quantise-weights"
    type: str = "i8"
    block: int = 0

    def rewrite(self, draft: Draft) -> None:
        _quantise(draft, element_of(self.type), self.block)


def quantise_weights(
    network: nn.NnModule, type: str = "i8", block: int = 0, device: str = "gpu"
) -> tuple[nn.NnModule, dict[str, float]]:
    """
    A copy of `network` after the pass, and the relative error of each weight that it changed, by name:
    root of the mean of (quantised - weight)^2 over that of weight^2.
    """
    draft = Draft(network.module.clone(), dict(network.weights), target_of(device))
    errors = _quantise(draft, element_of(type), block)
    return nn.NnModule(draft.module, draft.weights, network.input_names, network.output_names), errors


def element_of(name: str) -> Attribute:
    """The element type called `name`: i1 to i8, fp8 (E4M3) or fp8_e5m2; ValueError for others."""
    if name.startswith("fp8"):
        return {"fp8": Float8E4M3FNType(), "fp8_e4m3": Float8E4M3FNType(), "fp8_e5m2": Float8E5M2Type()}[name]
    bits = int(name[1:]) if name[:1] == "i" and name[1:].isdigit() else 0
    if not 2 <= bits <= 8:
        raise ValueError(f"weights are quantised to i2 to i8, fp8 or fp8_e5m2, not to `{name}`")
    return IntegerType(bits)


def can_quantise(op: Product, draft: Draft, by_type: bool = False) -> bool:
    """
    Whether the weights of `op` can be kept in few bits.

    (L1) They are a weight of known values, or `by_type` of any, in floats of at least 16 bits, there are some, and all
    that are known are finite.
    """
    owner = op.operands[1].owner
    if not isinstance(owner, nn.WeightOp):
        return False
    element, values = owner.type.element_type, draft.weights.get(owner.weight.data)
    if not nn.is_float(element) or nn.bits_of(element) < 16 or 0 in nn.shape_of(owner.result):
        return False
    return by_type if values is None else bool(np.all(np.isfinite(values)))


def should_quantise(op: Product, made: nn.FusionOp, target: Target) -> bool:
    """Whether reading fewer bytes of weights saves more time than turning them back into floats takes."""
    return target.pays([op], [made])


def _quantise(draft: Draft, element: Attribute, block: int) -> dict[str, float]:
    errors: dict[str, float] = {}
    for op in draft.ops:
        if isinstance(op, Product) and can_quantise(op, draft):
            error = _rewrite(op, element, block, draft)
            if error is not None:
                owner = op.operands[1].owner
                assert isinstance(owner, nn.WeightOp)
                errors[owner.weight.data] = error
    RemoveDeadCodePass().rewrite(draft)
    return errors


def _rewrite(op: Product, element: Attribute, block: int, draft: Draft) -> float | None:
    """Put the quantised product in the place of `op`, and say the error of its weight; None where it does not pay."""
    weight = op.operands[1].owner
    assert isinstance(weight, nn.WeightOp)
    few = few_bits(weight, blocks_of(op, block), element)
    product = type(op).create(
        operands=[op.operands[0], few.back.result, *op.operands[2:]],
        attributes=dict(op.attributes),
        result_types=[op.result.type],
    )
    few.back.location = product.location = op.location
    made = nn.FusionOp.around([few.back, product])
    pays = should_quantise(op, made, draft.target)
    for each in (product, few.back):
        each.drop_all_references()
    if not pays:
        made.drop_all_references()
        return None
    error = few.store(draft, draft.weights[weight.weight.data])
    for source in (few.codes, few.scale):
        draft.put(op, source)
    draft.replace(op, draft.put(op, made).results)
    draft.fired["quantise"] += 1
    return error


@dataclass(frozen=True)
class FewBits:
    """A weight in few bits: ops that stand nowhere yet."""

    weight: nn.WeightOp
    back: nn.DequantiseOp
    codes: nn.WeightOp
    scale: nn.WeightOp

    def store(self, draft: Draft, values: np.ndarray) -> float:
        """Give the draft the codes and the scales of the weight's `values`; the relative error of the weight."""
        element, exact = self.codes.type.element_type, np.asarray(values, dtype=np.float64)
        scales = scales_of(exact, nn.ints(self.back.block), element).astype(dtype_of(self.weight.result))
        quantise = nn.QuantiseOp.create(
            operands=[self.weight.result, self.scale.result],
            attributes=dict(self.back.attributes),
            result_types=[self.codes.result.type],
        )
        (stored,) = evaluate(quantise, [exact, scales.astype(np.float64)], {})
        (restored,) = evaluate(self.back, [stored, scales.astype(np.float64)], {})
        quantise.drop_all_references()
        kind = np.int8 if isinstance(element, IntegerType) else np.float32
        draft.weights[self.codes.weight.data] = stored.astype(kind)
        draft.weights[self.scale.weight.data] = scales
        norm = float(np.sqrt(np.mean(exact**2)))
        return float(np.sqrt(np.mean((restored - exact) ** 2))) / norm if norm else 0.0


def few_bits(weight: nn.WeightOp, blocks: nn.Shape, element: Attribute) -> FewBits:
    """`weight` in numbers of type `element`, with a scale for each block, and back to its own type."""
    shape = nn.shape_of(weight.result)
    of_blocks = nn.scale_shape(shape, blocks)
    name = f"{weight.weight.data}.{element}.{'x'.join(map(str, blocks))}"  # one weight may be used in two ways
    codes = nn.WeightOp.make(type=nn.tensor(element, shape), weight=name)
    scale = nn.WeightOp.make(type=nn.with_shape(weight.result, of_blocks), weight=f"{name}.scale")
    back = nn.DequantiseOp.make(codes.result, scale.result, block=blocks)
    return FewBits(weight, back, codes, scale)


def blocks_of(op: Product, block: int) -> nn.Shape:
    """How many neighbours share a scale along each axis: the summands of a channel, or `block` of them."""
    rank = len(nn.shape_of(op.operands[1]))
    if isinstance(op, nn.ConvOp):
        return (1, block, *[0] * (rank - 2))
    if isinstance(op, nn.GemmOp) and nn.integer(op.transpose_b):
        return (1, block)
    return (*[1] * (rank - 2), block, 1)


def scales_of(values: np.ndarray, blocks: nn.Shape, element: Attribute) -> np.ndarray:
    """The smallest scale of each block that cuts nothing off: its largest magnitude over that of the type."""
    most = np.abs(values)
    for axis, of in enumerate(blocks):
        if of != 1:
            starts = np.arange(0, most.shape[axis], of or most.shape[axis])
            most = np.maximum.reduceat(most, starts, axis=axis)
    top = LARGEST.get(str(element)) or float(nn.integer_range(element)[1])
    return np.where(most > 0, most / top, 1.0)
