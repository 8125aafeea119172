"""The frame of an emitted JAX module for several devices: what each of them runs, and the whole by `jax.shard_map`."""

from __future__ import annotations

from collections.abc import Sequence

from ..python_text import Brackets, call, lay_out, prefixed, quoted, which
from .frame import Input, decorated, definition, module_text, weights_text
from .sharding import Sharding

WEIGHTS = '''def device_mesh() -> Mesh:
    """The devices that share the network: the first that JAX has."""
    return jax.make_mesh(
        tuple(MESH.values()), tuple(MESH), axis_types=(AxisType.Auto,) * len(MESH)
    )


def load_weights(path: Path | None = None) -> dict[str, Array]:
    """The weights, by name, each on its devices; from the file called as this one."""
    from weights_file import read_safetensors

    arrays = read_safetensors(path or Path(__file__).with_suffix(".safetensors"))
    mesh = device_mesh()
    return {
        name: jax.device_put(array, NamedSharding(mesh, WEIGHT_SPECS[name]))
        for name, array in arrays.items()
    }
'''

RESERVED = ("MESH", "WEIGHT_SPECS", "P", "AxisType", "Mesh", "NamedSharding", "device_mesh")
"""Names of the emitted module beside those of a module for one device."""

_IMPORT = ["from jax.sharding import AxisType, Mesh, NamedSharding", "from jax.sharding import PartitionSpec as P"]


def rank_name(name: str) -> str:
    """The function that each device runs."""
    return f"{name}_on_device"


def sharded_text(
    name: str,
    sharding: Sharding,
    inputs: Sequence[Input],
    parts: Sequence[Input],
    outputs: Sequence[str],
    layers: Sequence[str],
    lines: Sequence[str],
    used: Sequence[str],
    wide: bool,
) -> str:
    """The whole source of the network `name`; `parts` are what one device has of `inputs`, `used` the weights."""
    shapes = ", ".join(f"{i.variable} {i.shown}" for i in parts)
    about = f'    """What each device does with its part: {shapes}."""'
    rank = [*definition(rank_name(name), parts, outputs), about, *lines]
    mesh = [f'MESH = {{"{sharding.axis}": {sharding.devices}}}  # axis -> devices']
    specs = [f"    {quoted(key)}: {sharding.weights[key]}," for key in used]
    tables = [*mesh, "WEIGHT_SPECS = {", *specs, "}"] if specs else [*mesh, "WEIGHT_SPECS = {}"]
    head = f"The network{which(name)} in JAX on {sharding.devices} devices; its weights are in {name}.safetensors."
    whole = _whole(name, sharding, inputs, outputs, wide)
    functions = [weights_text(WEIGHTS, wide), *layers, "\n".join(rank), "\n".join(whole)]
    return module_text(head, inputs, outputs, functions, tables, _IMPORT)


def _whole(name: str, sharding: Sharding, inputs: Sequence[Input], outputs: Sequence[str], wide: bool) -> list[str]:
    """The function of the network: whole arrays in and out."""
    shapes = ", ".join(f"{i.variable} {i.shown}" for i in inputs)
    taken = Brackets("in_specs=(", ("WEIGHT_SPECS", *sharding.inputs), ")")
    several = Brackets("out_specs=(", sharding.outputs, ")")
    given = f"out_specs={sharding.outputs[0]}" if len(outputs) == 1 else several
    shared = Brackets("jax.shard_map(", (rank_name(name), "mesh=device_mesh()", taken, given, "check_vma=False"), ")")
    return [
        *decorated(inputs, wide),
        *definition(name, inputs, outputs),
        f'    """Apply the network to {shapes}."""',
        *lay_out(prefixed("on_devices = ", shared)),
        *lay_out(prefixed("return ", call("on_devices", "w", *(i.variable for i in inputs)))),
    ]
