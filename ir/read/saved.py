"""
Networks as we write them: `net.mlir`, a module in the generic form, and beside it `net.npz` with its weights.

The names of inputs and outputs are attributes of the module, `inputs` and `outputs`; without them inputs are called x0,
x1, ... and outputs y0, y1, ... Arrays are read without pickle.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr

from .. import nn
from ..diagnostics import Diagnostic, InputError
from ..npz import read_npz, write_npz
from ..source import SourceFile
from ..text import parse_module, print_module
from ..verify import diagnostic_at, verify_module
from .elements import has_integer_zero


def save_network(network: nn.NnModule, path: Path) -> None:
    """Write `network` to `path` (.mlir) and its weights beside it; types that numpy lacks become float32."""
    module = network.module.clone()
    for key, names in (("inputs", network.input_names), ("outputs", network.output_names)):
        module.attributes[key] = ArrayAttr([StringAttr(name) for name in names])
    path.write_text(print_module(module, generic=True, locations=True))
    write_npz(path.with_suffix(".npz"), {name: _plain(np.asarray(each)) for name, each in network.weights.items()})


def load_network(path: Path) -> nn.NnModule:
    """
    The network of `path` (.mlir), with the weights that stand beside it, none where there is no such file.

    InputError where the text does not parse or verify, has no `main`, or where the weights are not those that it names.
    """
    try:
        source = SourceFile(str(path), path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([Diagnostic("mlir", f"cannot read `{path}`: {getattr(error, 'strerror', error)}")]) from None
    module = parse_module(source.text, source.name)
    verify_module(module, f"`{path}`", source)
    try:
        main = nn.main_of(module)
    except ValueError as error:
        raise InputError([Diagnostic("mlir", f"`{path}`: {error}")]) from None
    if not main.function_type.outputs:
        raise InputError([Diagnostic("mlir", f"`{path}`: `main` returns nothing, so there is nothing to compute")])
    inputs = _names(module, "inputs", len(main.body.block.args), "x")
    outputs = _names(module, "outputs", len(main.function_type.outputs), "y")
    weights = _weights(path.with_suffix(".npz"))
    _check(path, module, weights)
    if zeros := [diagnostic_at(op, "it divides integers by 0", source) for op in _zero_divisors(module, weights)]:
        raise InputError(zeros)
    return nn.NnModule(module, weights, inputs, outputs)


def _names(module: ModuleOp, key: str, count: int, letter: str) -> tuple[str, ...]:
    said = module.attributes.get(key)
    names = [each.data for each in said if isinstance(each, StringAttr)] if isinstance(said, ArrayAttr) else []
    return tuple(names) if len(names) == count else tuple(f"{letter}{i}" for i in range(count))


def _weights(path: Path) -> dict[str, np.ndarray]:
    if not path.exists():
        return {}
    try:
        return read_npz(path)
    except ValueError as error:
        raise InputError([Diagnostic("mlir", f"cannot read the weights in `{path}`: {error}")]) from None


def _check(path: Path, module: ModuleOp, weights: dict[str, np.ndarray]) -> None:
    """InputError for each weight that is there in another shape than the module says."""
    wrong: list[Diagnostic] = []
    for op in nn.body_of(module):
        if isinstance(op, nn.WeightOp) and op.weight.data in weights:
            shape, said = weights[op.weight.data].shape, nn.shape_of(op.result)
            if shape != said:
                message = f"weight `{op.weight.data}` beside `{path}` has shape {shape}, the module says {said}"
                wrong.append(Diagnostic("mlir", message))
    if wrong:
        raise InputError(wrong)


def _zero_divisors(module: ModuleOp, weights: dict[str, np.ndarray]) -> Iterator[nn.TensorOp]:
    """The ops that divide integers by a constant that is 0 somewhere."""
    for op in nn.body_of(module):
        if isinstance(op, nn.DivOp | nn.RemOp | nn.ModOp) and nn.is_integer(nn.tensor_type(op.rhs).element_type):
            match op.rhs.owner:
                case nn.FillOp() as fill if fill.value.value.data == 0:
                    yield op
                case nn.WeightOp() as weight if weight.weight.data in weights:
                    if has_integer_zero(weights[weight.weight.data]):
                        yield op


def _plain(array: np.ndarray) -> np.ndarray:
    return array if array.dtype.isbuiltin == 1 else array.astype(np.float32)
