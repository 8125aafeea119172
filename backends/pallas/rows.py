"""Plans of the kernels that work on rows: norms and elementwise chains."""

from __future__ import annotations

from ...planner.scratchpad.tiling import shapes
from ..dtypes import numpy_dtype
from .plan import Blocks, KernelPlan, choose, multiples
from .vmem import Held, sublanes


def plan_norm(rows: int, width: int, dtype: str, vmem_bytes: float, vectors: int = 1) -> KernelPlan:
    """Of `kernels/norm.py`: blocks of whole rows; `vectors` are scale and bias."""
    nest = shapes.rows(["x"], ["y"], rows, width, numpy_dtype(dtype).itemsize)

    def held(b: Blocks) -> list[Held]:
        block = (b["row"], width)
        vector = [Held(f"vector {i}", (1, width), dtype) for i in range(vectors)]
        return [Held("x", block, dtype), *vector, Held("y", block, dtype), Held("wide", block, "float32", 1)]

    return choose("norm", nest, ("row",), {"row": multiples(sublanes(dtype), rows)}, held, vmem_bytes)


def plan_elementwise(rows: int, width: int, inputs: int, dtype: str, vmem_bytes: float) -> KernelPlan:
    """Of `kernels/elementwise.py`: blocks of whole rows of as many tensors as are read, and of one written."""
    names = [f"x{i}" for i in range(1, inputs + 1)]
    nest = shapes.rows(names, ["y"], rows, width, numpy_dtype(dtype).itemsize)

    def held(b: Blocks) -> list[Held]:
        block = (b["row"], width)
        return [*(Held(name, block, dtype) for name in (*names, "y")), Held("value", block, "float32", 1)]

    return choose("elementwise", nest, ("row",), {"row": multiples(sublanes(dtype), rows)}, held, vmem_bytes)
