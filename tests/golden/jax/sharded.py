"""The network mlp in JAX on 2 devices; its weights are in mlp.safetensors."""

from pathlib import Path

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

INPUTS = {
    "x": ((4, 8), "float32"),
}
OUTPUTS = ("y",)
MESH = {"tp": 2}  # axis -> devices
WEIGHT_SPECS = {
    "up": P(None, "tp"),
    "down": P("tp"),
}


def device_mesh() -> Mesh:
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


def mlp_on_device(w: dict[str, Array], x: Array) -> Array:
    """What each device does with its part: x (4, 8)."""
    y = x @ w["up"]  # (4, 8)
    y = jnp.tanh(y)  # (4, 8)
    y = y @ w["down"]  # (4, 8)
    y = lax.psum(y, "tp")  # (4, 8)
    return y


@jax.jit
def mlp(w: dict[str, Array], x: Array) -> Array:
    """Apply the network to x (4, 8)."""
    on_devices = jax.shard_map(
        mlp_on_device,
        mesh=device_mesh(),
        in_specs=(WEIGHT_SPECS, P()),
        out_specs=P(),
        check_vma=False,
    )
    return on_devices(w, x)
