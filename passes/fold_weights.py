"""Works out before the run what depends on weights alone. Not a `ModulePass`: weights stand beside the module."""

from __future__ import annotations

from collections.abc import Container, Mapping

import numpy as np
from xdsl.dialects.builtin import AnyFloat, ModuleOp, NameLoc
from xdsl.ir import Operation, SSAValue

from ..costmodel.rules import tensor_bytes
from ..ir import nn
from ..ir.interpret import evaluate


def fold_weights(network: nn.NnModule) -> nn.NnModule:
    """
    A copy of `network` in which every op that may and should be folded is a weight, and unused weights are gone.

    before: %g = "nn.rsqrt"(weight v);  %y = "nn.mul"(%x, %g)
    after:  %y = "nn.mul"(%x, weight "bn1.rsqrt")

    What is between folded ops is kept in float64; only what the others use is rounded to the element type. A new
    weight is named after the location of the op it replaces.
    """
    module = network.module.clone()
    weights = dict(network.weights)
    known: dict[SSAValue, np.ndarray] = {}
    folded: list[nn.TensorOp] = []
    for op in nn.body_of(module):
        if isinstance(op, nn.WeightOp | nn.FillOp) or (can_fold(op, known) and should_fold(op)):
            known.update(zip(op.results, evaluate(op, [known[o] for o in op.operands], weights), strict=True))
            if isinstance(op, nn.TensorOp) and not isinstance(op, nn.WeightOp | nn.FillOp):
                folded.append(op)
    inside = set(folded)
    for op in folded:
        if any(use.operation not in inside for use in op.results[0].uses):
            _replace(op, known[op.results[0]], weights)
    _erase_unused(module, weights)
    return nn.NnModule(module, weights, network.input_names, network.output_names)


def can_fold(op: Operation, known: Container[SSAValue]) -> bool:
    """
    Whether the result of `op` is known before the run.

    (L1) It has operands, and all are `known`. (L2) They are floats: weights are worked out in float64.
    """
    inputs = list(op.operands)
    floats = all(isinstance(nn.tensor_type(o).element_type, AnyFloat) for o in inputs)
    return bool(inputs) and all(o in known for o in inputs) and floats


def should_fold(op: Operation) -> bool:
    """Whether the result is no larger than what it is made from; a reshape of a weight is free as it is."""
    if isinstance(op, nn.ReshapeOp) and isinstance(op.x.owner, nn.WeightOp):
        return False
    return tensor_bytes(op.results[0]) <= sum(tensor_bytes(o) for o in op.operands)


def _replace(op: nn.TensorOp, value: np.ndarray, weights: dict[str, np.ndarray]) -> None:
    name = _new_name(op, weights)
    weights[name] = value.astype(_dtype(op.results[0]))
    made = nn.WeightOp.make(type=op.type, at=op, weight=name)
    made.result.name_hint = op.results[0].name_hint
    assert op.parent is not None
    op.parent.insert_op_before(made, op)
    op.results[0].replace_all_uses_with(made.result)


def _new_name(op: nn.TensorOp, taken: Mapping[str, np.ndarray]) -> str:
    place = f"{op.location.desc.data}." if isinstance(op.location, NameLoc) else ""
    wanted = place + (op.results[0].name_hint or op.name.removeprefix("nn."))
    number, name = 2, wanted
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    return name


def _dtype(value: SSAValue) -> np.dtype:
    """numpy's element type of `value`; bfloat16, which numpy lacks, is held as float32."""
    name = str(nn.tensor_type(value).element_type)
    return np.dtype({"f16": np.float16, "f64": np.float64}.get(name, np.float32))


def _erase_unused(module: ModuleOp, weights: dict[str, np.ndarray]) -> None:
    """Remove every op without users, last first, and the values of weights that no op names."""
    for op in reversed(list(nn.body_of(module))):
        if not any(True for _ in op.results[0].uses):
            op.detach()
            op.erase()
    used = {op.weight.data for op in nn.body_of(module) if isinstance(op, nn.WeightOp)}
    for name in weights.keys() - used:
        del weights[name]
