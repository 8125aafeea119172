"""The network chains in JAX; its weights are in chains.safetensors."""

from pathlib import Path

import jax
import jax.numpy as jnp
from jax import Array

INPUTS = {
    "in0": ((2, 3, 4), "float32"),
    "in1": ((3, 1), "float32"),
}
OUTPUTS = ("out",)


def load_weights(path: Path | None = None) -> dict[str, Array]:
    """The weights, by name, from the file at `path`, or the one called as this one."""
    from weights_file import read_safetensors

    arrays = read_safetensors(path or Path(__file__).with_suffix(".safetensors"))
    return {name: jnp.asarray(array) for name, array in arrays.items()}


@jax.jit
def chains(w: dict[str, Array], in0: Array, in1: Array) -> Array:
    """Apply the network to in0 (2, 3, 4), in1 (3, 1)."""
    x = jax.nn.relu(in0 * in1)  # (2, 3, 4)
    mul_1 = x * x  # (2, 3, 4)
    mul_2 = mul_1 * in1  # (2, 3, 4)
    tanh_1 = jnp.tanh(mul_2)  # (2, 3, 4)
    add_1 = x + tanh_1  # (2, 3, 4)
    x = jax.nn.sigmoid(add_1)  # (2, 3, 4)
    x = add_1 * x  # (2, 3, 4)
    x = jnp.exp(x)  # (2, 3, 4)
    x = x + in1  # (2, 3, 4)
    x = x - mul_2  # (2, 3, 4)
    return x
