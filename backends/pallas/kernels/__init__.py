"""Pallas kernels that import jax alone; their blocks are arguments."""

from pathlib import Path

FOLDER = Path(__file__).parent
