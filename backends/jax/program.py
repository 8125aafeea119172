"""
Networks that run here: the emitted JAX source, executed as it stands, as one callable.

    program = build_program(read_onnx("densenet.onnx"), "densenet")
    (scores,) = program(image)             # or program(**{"data_0": image})
    program.save(Path("out"))              # out/jax/densenet/densenet.py, run.py, densenet.safetensors
"""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from ...passes.shard.apply import SpmdNetwork
from .. import OutputFile
from ..inputs import bind_inputs
from ..writer import write_folder
from . import FOLDER
from .emit import JaxSource, emit_jax, emit_sharded


@dataclass(frozen=True)
class JaxProgram:
    """One network, ready to run on the device that JAX prefers on this machine."""

    source: JaxSource
    inputs: Mapping[str, tuple[tuple[int, ...], str]]
    """shape and dtype by the graph's name, in graph order"""
    outputs: tuple[str, ...]
    """the graph's names, in graph order"""
    function: Any
    """of weights and inputs: jitted, and where it has integers of 64 bits, JAX is told to keep them"""
    placed: Mapping[str, Any]
    """the weights as arrays on their device, or devices"""
    _variables: tuple[str, ...]
    devices: int = 1
    """that share it"""

    @property
    def sources(self) -> Mapping[str, str]:
        """The emitted text by file name."""
        return self.source.sources

    @property
    def weights(self) -> Mapping[str, np.ndarray]:
        """The weights under the keys that the source uses."""
        return self.source.weights

    @property
    def trace(self) -> list[tuple[str, str]]:
        """(piece, what executes it here): `("densenet.run", "jax on cpu")`, or `jax on 4 x cpu`."""
        import jax

        several = f"{self.devices} x " if self.devices > 1 else ""
        return [(f"{self.source.name}.run", f"jax on {several}{jax.default_backend()}")]

    def __call__(self, /, *args: Any, **named: Any) -> tuple[np.ndarray, ...]:
        """
        The outputs in graph order for inputs in graph order, by the graph's names or by those of the source.

        Raises `InputError` for inputs that are missing, unknown, given twice, or of another shape or kind.
        """
        aliases = dict(zip(self._variables, self.inputs, strict=True))
        values = bind_inputs(self.source.name, self.inputs, args, named, aliases)
        result = self.function(self.placed, *values.values())
        return tuple(np.asarray(value) for value in (result if isinstance(result, tuple) else (result,)))

    def sharing(self, first: JaxProgram) -> JaxProgram:
        """This with the function of `first`, whose sources are equal: JAX compiles it once."""
        return replace(self, function=first.function)

    def files(self) -> list[OutputFile]:
        """What `save` writes: `jax/<name>/` with `<name>.py`, `run.py` and `<name>.safetensors`."""
        return self.source.files(f"{FOLDER}/{self.source.name}")

    def save(self, folder: Path | str, force: bool = False) -> Path:
        """Write `files` as the whole content of `folder`, as `write_folder` does, and return its absolute path."""
        return write_folder(self.files(), folder, force)


def build_program(network: nn.NnModule, name: str = "network") -> JaxProgram:
    """The program for `network`; raises `InputError` where JAX code cannot be emitted for it."""
    return _program(emit_jax(network, name))


def build_sharded(program: SpmdNetwork, name: str = "network") -> JaxProgram:
    """The program for a network that several devices share; raises `InputError` as `build_program`, and for too few."""
    return _program(emit_sharded(program, name))


def _program(source: JaxSource) -> JaxProgram:
    import jax
    import jax.numpy as jnp

    module = _execute(source.sources[f"{source.name}.py"], source.name)
    network, devices = getattr(module, source.name), 1
    with jax.enable_x64(True):  # what is of 64 bits stays so
        weights = {key: jnp.asarray(value) for key, value in source.weights.items()}
    if hasattr(module, "MESH"):
        devices = prod(module.MESH.values())
        weights = _on_devices(module, devices, weights)
    variables = tuple(inspect.signature(network).parameters)[1:]
    return JaxProgram(source, module.INPUTS, module.OUTPUTS, network, weights, variables, devices)


def _on_devices(module: Any, wanted: int, weights: Mapping[str, Any]) -> dict[str, Any]:
    """The weights where the devices want them that share the network; InputError where there are too few devices."""
    import jax

    if (there := jax.device_count()) < wanted:
        help = f'`jax.config.update("jax_num_cpu_devices", {wanted})` before JAX is used lets CPUs stand in for others'
        message = f"the network is shared among {wanted} devices, and JAX has {there} here"
        raise InputError([Diagnostic("program-input", message, help=help)])
    place = partial(jax.sharding.NamedSharding, module.device_mesh())
    with jax.enable_x64(True):
        return {key: jax.device_put(value, place(module.WEIGHT_SPECS[key])) for key, value in weights.items()}


def _execute(text: str, name: str) -> Any:
    """The module that `text` defines; nothing is left in `sys.modules`."""
    module, filename = ModuleType(name), f"<emitted {name}.py>"
    module.__file__ = filename
    # Lets errors inside the network quote their line, though there is no file.
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
    exec(compile(text, filename, "exec"), module.__dict__)
    return module
