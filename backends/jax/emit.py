"""Emits a tensor network as JAX source that needs jax and numpy alone."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from xdsl.ir import SSAValue

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from .. import OutputFile, safetensors
from ..dtypes import dtype_of
from . import layers, transformer_layers
from .donation import donated
from .frame import Input, program_text
from .names import Names
from .operators import LAYERS
from .run_template import RUN
from .scalars import INTEGER_DIV
from .statements import Body
from .taken_apart import taken_apart
from .weights import UsedWeights

RESERVED = ("w", "jax", "jnp", "lax", "np", "Array", "Path", "partial", "INPUTS", "OUTPUTS", "load_weights")
"""Names of the emitted module that neither a variable nor the network may take."""

IMPORTED = {"jax", "jaxlib", "numpy", "scipy", "ml_dtypes", "opt_einsum", "run", "weights_file"}
"""Modules that a file beside `run.py` would hide from it, `run.py` itself, and the reader of weights."""


@dataclass(frozen=True)
class JaxSource:
    """The sources of one network, and beside them its weights under the keys that the sources use."""

    name: str
    """of the network: a Python identifier"""
    sources: Mapping[str, str]
    """
    `<name>.py` with the network as one function `<name>`, `weights_file.py` that reads its weights, and `run.py` to try
    it from a shell
    """
    weights: Mapping[str, np.ndarray]

    def files(self, folder: str) -> list[OutputFile]:
        """The sources, and the weights as `<name>.safetensors`, in `folder` of the output folder."""
        texts = [OutputFile(f"{folder}/{name}", text) for name, text in self.sources.items()]
        data = safetensors.safetensors_bytes(self.weights)
        return [*texts, OutputFile(f"{folder}/{self.name}.safetensors", data)]


def emit_jax(network: nn.NnModule, name: str) -> JaxSource:
    """
    JAX source for `network`: a function `name(w, inputs...)` with one line for each operator.

    Raises `InputError` for an operator or an element type that JAX code is not emitted for, for open sizes, and for a
    weight without values. The files are relative to a folder of their own.
    """
    if missing := ", ".join(sorted(nn.open_names(network.module))):
        raise InputError([Diagnostic("jax-sizes", f"JAX code needs sizes for {missing}")])
    network = taken_apart(network)
    main = nn.main_of(network.module)
    names = Names([*RESERVED, *_LAYER_NAMES, *IMPORTED, *sys.stdlib_module_names])
    name = names.claim(name)
    names = Names([*RESERVED, *_LAYER_NAMES, name])
    taken = donated(main.body.block)
    inputs = [_input(names, n, value, value in taken) for n, value in zip(network.input_names, main.args, strict=True)]
    weights = UsedWeights(network.weights)
    body = Body(list(main.body.block.ops), names, weights)
    for given, value in zip(inputs, main.args, strict=True):
        body.bind(value, given.variable)
    body.write()
    functions = [inspect.getsource(function) for key, function in _LAYER_NAMES.items() if key in body.layers]
    text = program_text(name, inputs, network.output_names, functions, body.lines)
    sources = {
        f"{name}.py": text,
        "weights_file.py": inspect.getsource(safetensors),
        "run.py": RUN.replace("network_name", name),
    }
    return JaxSource(name, sources, weights.used)


def _input(names: Names, name: str, value: SSAValue, is_donated: bool) -> Input:
    type = nn.tensor_type(value)
    return Input(name, names.claim(name), tuple(type.get_shape()), dtype_of(type), is_donated)


_LAYER_NAMES = {
    name: getattr(layers, name, None) or getattr(transformer_layers, name) for name in (*LAYERS.values(), INTEGER_DIV)
}
