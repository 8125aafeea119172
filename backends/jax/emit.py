"""Emits a tensor network as JAX source that needs jax and numpy alone."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from ...passes.locations import located
from ...passes.shard.apply import SpmdNetwork
from .. import OutputFile, safetensors
from ..dtypes import dtype_of
from ..python_text import imported
from . import layers, transformer_layers
from .axes import AxisNames
from .donation import donated
from .frame import Input, program_text
from .names import Names
from .operators import LAYERS
from .run_template import RUN, run_on
from .scalars import INTEGER_DIV
from .sharded_frame import RESERVED as SHARDED
from .sharded_frame import rank_name, sharded_text
from .sharding import sharding_of
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
    network = _ready(network)
    for op in nn.body_of(network.module):
        if isinstance(op, nn.CollectiveOp):
            message = f"there is no JAX code for operator `{op.name}` on one device"
            raise located(InputError([Diagnostic("jax-op", message)]), op)
    name, names = _named(name, RESERVED)
    axes = AxisNames(list(nn.body_of(network.module)))
    inputs = _inputs(names, network, axes)
    weights = UsedWeights(network.weights)
    body = _body(network, inputs, names, weights, axes)
    text = program_text(name, inputs, network.output_names, _functions(body), body.lines)
    return _source(name, text, RUN, weights)


def emit_sharded(program: SpmdNetwork, name: str) -> JaxSource:
    """
    JAX source for a network that several devices share as a plan says: a function of whole arrays, as `emit_jax` makes.

    What each device runs is `name_on_device`, with the plan's collectives. Weights are saved whole. Raises `InputError`
    as `emit_jax` does, and for ends that are partial.
    """
    whole, sharding = program.whole, sharding_of(program)
    local = _ready(nn.NnModule(program.module, whole.weights, whole.input_names, whole.output_names))
    name, names = _named(name, (*RESERVED, *SHARDED))
    axes, axes_of_whole = (AxisNames(list(nn.body_of(each.module))) for each in (local, whole))
    parts = _inputs(names, local, axes)
    inputs = [
        replace(part, shape=nn.shape_of(value), shown=axes_of_whole.shown(value))
        for part, value in zip(parts, nn.main_of(whole.module).args, strict=True)
    ]
    weights = UsedWeights(local.weights, packs=False)
    body = _body(local, parts, names, weights, axes)
    layers, used = _functions(body), list(weights.used)
    text = sharded_text(name, sharding, inputs, parts, local.output_names, layers, body.lines, used)
    return _source(name, text, run_on(sharding.devices), weights)


def _ready(network: nn.NnModule) -> nn.NnModule:
    if missing := ", ".join(sorted(nn.open_names(network.module))):
        raise InputError([Diagnostic("jax-sizes", f"JAX code needs sizes for {missing}")])
    return taken_apart(network)


def _named(name: str, reserved: Sequence[str]) -> tuple[str, Names]:
    """The network's name in the emitted module, and what names are left there."""
    names = Names([*reserved, *_LAYER_NAMES, *IMPORTED, *sys.stdlib_module_names])
    name = names.claim(name)
    return name, Names([*reserved, *_LAYER_NAMES, name, rank_name(name)])


def _body(network: nn.NnModule, inputs: Sequence[Input], names: Names, weights: UsedWeights, axes: AxisNames) -> Body:
    """The statements of the network."""
    main = nn.main_of(network.module)
    body = Body(list(main.body.block.ops), names, weights, axes)
    for given, value in zip(inputs, main.args, strict=True):
        body.bind(value, given.variable)
    body.write()
    return body


def _functions(body: Body) -> list[str]:
    """The layers that the statements call."""
    return [inspect.getsource(function) for key, function in _LAYER_NAMES.items() if key in body.layers]


def _source(name: str, text: str, run: str, weights: UsedWeights) -> JaxSource:
    names_of_run = imported("INPUTS", "OUTPUTS", "load_weights", name)
    sources = {
        f"{name}.py": text,
        "weights_file.py": inspect.getsource(safetensors),
        "run.py": run.replace("imported_names", names_of_run).replace("network_name", name),
    }
    return JaxSource(name, sources, weights.used)


def _inputs(names: Names, network: nn.NnModule, axes: AxisNames) -> list[Input]:
    main = nn.main_of(network.module)
    taken = donated(main.body.block)
    return [
        Input(
            name,
            names.claim(name),
            nn.shape_of(value),
            dtype_of(nn.tensor_type(value)),
            axes.shown(value),
            value in taken,
        )
        for name, value in zip(network.input_names, main.args, strict=True)
    ]


_LAYER_NAMES = {
    name: getattr(layers, name, None) or getattr(transformer_layers, name) for name in (*LAYERS.values(), INTEGER_DIV)
}
