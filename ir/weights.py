"""Values for weights that were left out: seeded, and scaled so that every layer's output has unit variance."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from xdsl.dialects.builtin import Float8E5M2Type
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Operation, SSAValue

from . import nn
from .interpret import evaluate
from .meaning.quantise import round_to_fp8
from .nn.quantise import FP8


def reseed_constant_weights(network: nn.NnModule, seed: int) -> nn.NnModule:
    """
    `network` with every constant weight (two elements or more, all equal) replaced by seeded values.

    Kernels and matrices are normal with the variance of He et al. 2015 (arXiv:1502.01852, eq. 10), then scaled so that
    the output of their layer has unit variance on a seeded normal input, after Mishkin and Matas 2016
    (arXiv:1511.06422, algorithm 1): in deep networks the signal would die or saturate otherwise. Scales and variances
    of normalisation are uniform in 0.5..1.5, all others (biases, means) normal with deviation 0.1.
    """
    rng = np.random.default_rng(seed)
    weights = dict(network.weights)
    ops = nn.body_of(network.module)
    scaled = set()
    for op in ops:
        if isinstance(op, nn.WeightOp) and _is_constant(weights[op.weight.data]):
            name = op.weight.data
            old, role = weights[name], _role(op.result)
            weights[name] = _draw(rng, role, old.shape).astype(old.dtype)
            if role in ("kernel", "matrix"):
                scaled.add(name)
    _scale_layers(network, weights, scaled, rng)
    return replace(network, weights=weights)


def fill_weights(network: nn.NnModule, seed: int) -> nn.NnModule:
    """
    `network` with seeded values, float32 and int64, for every weight that has none.

    They depend on the seed, the name and the shape alone, so that two networks of one model get the same. Matrices and
    tables have a variance of one over their width, scales of normalisation are uniform in 0.5..1.5, all others normal
    with deviation 0.1; matrices that are quantised have that variance once they are dequantised, nearly.
    """
    weights = dict(network.weights)
    for op in nn.body_of(network.module):
        if isinstance(op, nn.WeightOp) and op.weight.data not in weights:
            name = op.weight.data
            rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
            weights[name] = _fill(rng, op)
    return replace(network, weights=weights)


def _fill(rng: np.random.Generator, op: nn.WeightOp) -> np.ndarray:
    shape, element = nn.shape_of(op.result), op.type.element_type
    if nn.is_integer(element):
        least, largest = nn.integer_range(element)
        return rng.integers(least, largest, shape, endpoint=True).astype(np.int64)
    if isinstance(element, FP8):
        return round_to_fp8(rng.normal(size=shape), isinstance(element, Float8E5M2Type)).astype(np.float32)
    use = next(iter(op.result.uses), None)
    user, index = (None, 0) if use is None else (use.operation, use.index)
    if isinstance(user, nn.DequantiseOp):
        inputs = nn.shape_of(user.q)[-1]
        return (rng.uniform(0.5, 1.5, shape) / np.sqrt(inputs)).astype(np.float32)
    if isinstance(user, nn.NormOp) and index in (1, 4):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    inputs = int(np.prod(shape[1:])) if isinstance(user, nn.ConvOp) else shape[-1] if len(shape) > 1 else 100
    return rng.normal(0.0, inputs**-0.5, shape).astype(np.float32)


def _is_constant(array: np.ndarray) -> bool:
    return array.size > 1 and array.dtype.kind == "f" and float(np.ptp(array)) == 0.0


def _role(weight: SSAValue) -> str:
    """What `weight` is to the op that uses it first, through reshapes."""
    use = next(iter(weight.uses), None)
    if use is None:
        return "bias"
    match use.operation:
        case nn.ReshapeOp():
            return _role(use.operation.result)
        case nn.ConvOp() | nn.ConvTransposeOp() if use.index == 1:
            return "kernel"
        case nn.GemmOp() | nn.MatmulOp() if use.index < 2:
            return "matrix"
        case nn.NormOp() if use.index in (1, 4):
            return "positive"
        case nn.MulOp():
            return "positive"
        case _:
            return "bias"


def _draw(rng: np.random.Generator, role: str, shape: tuple[int, ...]) -> np.ndarray:
    if role == "positive":
        return rng.uniform(0.5, 1.5, shape)
    if role == "bias":
        return rng.normal(0.0, 0.1, shape)
    inputs = int(np.prod(shape[1:])) if role == "kernel" else max(shape)
    return rng.normal(0.0, np.sqrt(2.0 / inputs), shape)


def _scale_layers(network: nn.NnModule, weights: dict[str, Any], scaled: set[str], rng: np.random.Generator) -> None:
    """Run the network once, dividing each drawn kernel by the deviation of what its layer gives."""
    block = nn.main_of(network.module).body.block
    values: dict[SSAValue, np.ndarray] = {a: rng.normal(size=nn.shape_of(a)) for a in block.args}
    for op in block.ops:
        if isinstance(op, ReturnOp):
            return
        results = evaluate(op, [values[o] for o in op.operands], weights)
        name = _kernel_of(op)
        if name in scaled and (deviation := float(results[0].std())) > 0:
            scaled.remove(name)
            weights[name] = (weights[name] / deviation).astype(weights[name].dtype)
            kernel = op.operands[1]
            values[kernel] = np.asarray(weights[name], dtype=np.float64)
            results = evaluate(op, [values[o] for o in op.operands], weights)
        values.update(zip(op.results, results, strict=True))


def _kernel_of(op: Operation) -> str | None:
    if isinstance(op, nn.ConvOp | nn.ConvTransposeOp | nn.GemmOp | nn.MatmulOp):
        owner = op.operands[1].owner
        return owner.weight.data if isinstance(owner, nn.WeightOp) else None
    return None


def onnx_with_weights(path: str | Path, weights: Mapping[str, np.ndarray]) -> bytes:
    """The ONNX file at `path` with the values of `weights` in it, whether they were initialisers or computed there."""
    from onnx import numpy_helper

    from .read.onnx import load_model

    model = load_model(path)
    kept = [node for node in model.graph.node if not set(node.output) & set(weights)]
    used = {name for node in kept for name in node.input} - set(weights)
    initial = {tensor.name for tensor in model.graph.initializer}
    other = [tensor for tensor in model.graph.initializer if tensor.name in used]
    fed = [given for given in model.graph.input if given.name not in initial]
    del model.graph.node[:], model.graph.initializer[:], model.graph.input[:]
    model.graph.node.extend(kept)
    model.graph.input.extend(fed)
    model.graph.initializer.extend(other)
    model.ir_version = max(model.ir_version, 4)  # before 4 an initialiser must be an input too
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in weights.items())
    return model.SerializeToString()
