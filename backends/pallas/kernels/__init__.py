"""Pallas kernels that import jax alone; their blocks are arguments."""
