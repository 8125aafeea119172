"""
Reads a JAX function into the nn dialect, from the program that JAX traces, never from text.

    network = read_jax(f, (x,))

Inputs are arrays or `jax.ShapeDtypeStruct`s, whose sizes may be open (`jax.export.symbolic_shape`).
What the function closes over becomes weights. Each file of this folder reads one kind of primitive.
"""

from .read import read_jax, trace

__all__ = ["read_jax", "trace"]
