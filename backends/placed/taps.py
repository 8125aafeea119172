"""A lowered piece that also gives tensors along the way, and the same in exact arithmetic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Operation

from ...ir import nn
from ...passes.nn.draft import Draft
from ...passes.nn.precisions import kind_of
from ...passes.nn.set_precision import Reduced

MOST = 12
"""tensors along the way of a piece"""


def tapped(network: nn.NnModule) -> tuple[nn.NnModule, list[Operation]]:
    """A copy of `network` whose outputs are the results of up to MOST of its ops that compute, and those ops."""
    draft = Draft(network.module.clone(), dict(network.weights))
    computing = [op for op in draft.ops if _computes(op)]
    last = len(computing) - 1
    places = sorted({round(i * last / (MOST - 1)) for i in range(MOST)}) if last > 0 else range(len(computing))
    ops = [computing[i] for i in places]
    end = draft.block.last_op
    assert isinstance(end, ReturnOp)
    end.operands = [op.results[0] for op in ops]
    draft.retype()
    names = tuple(f"tap{i}" for i in range(len(ops)))
    return replace(network, module=draft.module, output_names=names), ops


def exact(network: nn.NnModule, lowered: Reduced) -> nn.NnModule:
    """A copy of `network`, taken from `lowered`, with the weights that were there before they were kept in few bits."""
    draft = Draft(network.module.clone(), {**network.weights, **lowered.weights})
    for op in draft.ops:
        if isinstance(op, nn.DequantiseOp) and isinstance(codes := op.q.owner, nn.WeightOp):
            name = lowered.wide.get(codes.weight.data)
            if name is not None:
                shape = nn.shape_of(op.result)
                draft.weights[name] = np.asarray(draft.weights[name]).reshape(shape)
                draft.replace(op, [draft.emit(op, nn.WeightOp, type=op.type, weight=name)])
    return replace(network, module=draft.module, weights=draft.weights)


def _computes(op: Operation) -> bool:
    kind = kind_of(op) is not None or isinstance(op, nn.FusionOp)
    return kind and nn.is_float(nn.tensor_type(op.results[0]).element_type)
