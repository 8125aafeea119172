"""Emits a tensor network as JAX source that needs jax and numpy alone."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...ir import nn
from .. import OutputFile
from . import layers
from .dtypes import dtype_of
from .names import Names, identifier
from .program import program_text
from .statements import Body
from .weights import UsedWeights, npz_bytes

RESERVED = ("w", "jax", "jnp", "lax", "np", "Array", "Path", "INPUTS", "OUTPUTS", "load_weights")
"""Names of the emitted module that no variable may hide."""


@dataclass(frozen=True)
class JaxSource:
    """The sources of one network, and beside them its weights under the keys that the sources use."""

    files: list[OutputFile]
    """`<name>.py` with the network as one function, `run.py` to try it from a shell"""
    weights: Mapping[str, np.ndarray]
    weights_path: str
    """where `<name>.py` looks for the weights, relative to the output folder: `<name>.npz`"""

    def write(self, folder: Path) -> None:
        """Write sources and weights into `folder`, which is made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        for file in self.files:
            (folder / file.path).write_text(file.text)
        (folder / self.weights_path).write_bytes(npz_bytes(self.weights))


def emit_jax(network: nn.NnModule, name: str) -> JaxSource:
    """
    JAX source for `network`: a function `name(w, inputs...)` with one line for each operator.

    Raises `InputError` for an operator or an element type that JAX code is not emitted for, and for a weight
    without values. The files are relative to a folder of their own.
    """
    name = identifier(name)
    main = nn.main_of(network.module)
    names = Names([*RESERVED, name, *_LAYER_NAMES])
    inputs = {names.claim(wanted): value for wanted, value in zip(network.input_names, main.args, strict=True)}
    weights = UsedWeights(network.weights)
    body = Body(list(main.body.block.ops), names, weights)
    for variable, value in inputs.items():
        body.bind(value, variable)
    body.write()
    types = {variable: nn.tensor_type(value) for variable, value in inputs.items()}
    shapes = {variable: (tuple(t.get_shape()), dtype_of(t)) for variable, t in types.items()}
    functions = [inspect.getsource(function) for key, function in _LAYER_NAMES.items() if key in body.layers]
    text = program_text(name, shapes, network.output_names, functions, body.lines)
    run = (Path(__file__).parent / "run_template.py").read_text().replace("network_name", name)
    return JaxSource([OutputFile(f"{name}.py", text), OutputFile("run.py", run)], weights.used, f"{name}.npz")


_LAYER_NAMES = {
    function.__name__: function
    for function in (layers.conv2d, layers.max_pool, layers.average_pool, layers.batch_norm)
}

