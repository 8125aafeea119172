"""Emits a tensor network as JAX source that needs jax and numpy alone."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from ...passes.locations import located
from ...passes.shard.apply import SpmdNetwork
from .. import OutputFile, safetensors
from ..dtypes import dtype_of, has_wide, require_types
from . import layers, transformer_layers
from .axes import AxisNames
from .donation import donated
from .equal_layers import PART_OF, EqualLayers
from .frame import Input, program_text
from .names import Names, network_name
from .operators import LAYERS
from .run_template import run_script
from .scalars import INTEGER_DIV
from .sharded_frame import RESERVED as SHARDED
from .sharded_frame import rank_name, sharded_text
from .sharding import sharding_of
from .statements import Body, LayerCall
from .taken_apart import taken_apart
from .weights import UsedWeights

RESERVED = ("w", "jax", "jnp", "lax", "np", "Array", "Path", "partial", "INPUTS", "OUTPUTS", "load_weights")
"""Names of the emitted module that neither a variable nor the network may take."""


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

    @property
    def weights_file(self) -> str:
        """What the file of its weights is called."""
        return f"{self.name}.safetensors"

    def files(self, folder: str, weights_file: str | None = None) -> list[OutputFile]:
        """The sources, and the weights as `weights_file` (`<name>.safetensors`), in `folder` of the output folder."""
        texts = [OutputFile(f"{folder}/{name}", text) for name, text in self.sources.items()]
        data = safetensors.safetensors_bytes(self.weights)
        return [*texts, OutputFile(f"{folder}/{weights_file or self.weights_file}", data)]


def emit_jax(network: nn.NnModule, name: str) -> JaxSource:
    """
    JAX source for `network`: a function `name(w, inputs...)` with one line for each operator.

    Raises `InputError` for an operator or an element type that JAX code is not emitted for, for open sizes, and for a
    weight without values. The files are relative to a folder of their own.
    """
    require_types(network)
    network = _ready(network)
    for op in nn.body_of(network.module):
        if isinstance(op, nn.CollectiveOp):
            message = f"there is no JAX code for operator `{op.name}` on one device"
            raise located(InputError([Diagnostic("jax-op", message)]), op)
    name, names = _named(name, RESERVED)
    axes, module = AxisNames(list(nn.body_of(network.module))), names.copy()
    inputs = _inputs(names, network, axes)
    weights = UsedWeights(network.weights)
    equal = EqualLayers(network, names, module, weights, axes)
    body = _body(network, inputs, names, weights, axes, equal.calls)
    wide, functions = has_wide(network.module), [*_functions(body), *equal.functions]
    text = program_text(name, inputs, network.output_names, functions, body.lines, wide)
    return _source(name, text, weights)


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
    layers, used, wide = _functions(body), list(weights.used), has_wide(local.module)
    text = sharded_text(name, sharding, inputs, parts, local.output_names, layers, body.lines, used, wide)
    return _source(name, text, weights, sharding.devices)


def _ready(network: nn.NnModule) -> nn.NnModule:
    if missing := ", ".join(sorted(nn.open_names(network.module))):
        raise InputError([Diagnostic("jax-sizes", f"JAX code needs sizes for {missing}")])
    return taken_apart(network)


def _named(name: str, reserved: Sequence[str]) -> tuple[str, Names]:
    """The network's name in the emitted module, and what names are left there."""
    name = network_name(name, [*reserved, *_LAYER_NAMES])
    return name, Names([*reserved, *_LAYER_NAMES, name, rank_name(name)])


def _body(
    network: nn.NnModule,
    inputs: Sequence[Input],
    names: Names,
    weights: UsedWeights,
    axes: AxisNames,
    layers: Sequence[LayerCall] = (),
) -> Body:
    """The statements of the network."""
    main = nn.main_of(network.module)
    body = Body(list(main.body.block.ops), names, weights, axes, layers=layers)
    for given, value in zip(inputs, main.args, strict=True):
        body.bind(value, given.variable)
    body.write()
    return body


def _functions(body: Body) -> list[str]:
    """The layers that the statements call."""
    return [inspect.getsource(function) for key, function in _LAYER_NAMES.items() if key in body.layers]


def _source(name: str, text: str, weights: UsedWeights, devices: int = 1) -> JaxSource:
    sources = {
        f"{name}.py": text,
        "weights_file.py": inspect.getsource(safetensors),
        "run.py": run_script(name, devices),
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
    name: getattr(layers, name, None) or getattr(transformer_layers, name)
    for name in (PART_OF, *LAYERS.values(), INTEGER_DIV)
}
