"""What a kernel holds in VMEM, the on-chip memory of a TPU core, and the refusal of what does not fit.

Arrays lie there in native tiles of 8 sublanes by 128 lanes of 32 bits; narrower elements are packed along sublanes, so
that the last two axes are rounded up to (8 * 4 / bytes, 128). Blocks that come and go with the grid are held twice: one
is computed on while the other is moved. Source: JAX documentation, "Pallas TPU details" and "Pipelining" (2025).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from ...ir.diagnostics import Diagnostic, InputError
from ..dtypes import numpy_dtype

SUBLANES, LANES = 8, 128
RESERVED_BYTES = 2**20
"""left to the compiler: a guess, for what it spills and its own scratch, which it does not tell before compiling"""


@dataclass(frozen=True)
class Held:
    """An array in VMEM."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    copies: int = 2
    """2 where it is moved while another is computed on; 1 for what stays; more for pieces of it"""

    @property
    def bytes(self) -> int:
        """With the padding of native tiles, all copies."""
        *outer, rows, columns = (1, 1, *self.shape)
        rows_of_tile, size = sublanes(self.dtype), numpy_dtype(self.dtype).itemsize
        return self.copies * prod(outer) * up(rows, rows_of_tile) * up(columns, LANES) * size


def split(name: str, shape: tuple[int, ...], dtype: str) -> Held:
    """
    What a product makes of its left factor: float32 in full precision is multiplied in pieces of bfloat16.

    Measured 2026-11-21 on the matmul kernel with libtpu 0.0.51 for v5e, by the smallest limit that compiles: 4.1 to
    4.25 times the factor in float32, 0.75 to 1 times in bfloat16.
    """
    return Held(f"pieces of {name}", shape, dtype, 5 if dtype == "float32" else 1)


def sublanes(dtype: str) -> int:
    """Rows of a native tile."""
    return SUBLANES * 4 // numpy_dtype(dtype).itemsize


def up(size: int, step: int) -> int:
    """`size` rounded up to a multiple of `step`."""
    return -(-size // step) * step


def held_bytes(held: Sequence[Held]) -> int:
    """All of it, with what is left to the compiler."""
    return RESERVED_BYTES + sum(each.bytes for each in held)


def require_vmem(kernel: str, held: Sequence[Held], vmem_bytes: float) -> None:
    """InputError, with what each part takes, unless all fits into `vmem_bytes`."""
    total = held_bytes(held)
    if total <= vmem_bytes:
        return
    parts = [
        f"`{each.name}` {each.copies} x {each.dtype}{list(each.shape)}: {each.bytes:,} bytes"
        for each in sorted(held, key=lambda each: -each.bytes)
    ]
    message = f"the kernel `{kernel}` needs {total:,} bytes of VMEM, there are {int(vmem_bytes):,}"
    help = f"{'; '.join(parts)}; {RESERVED_BYTES:,} are left to the compiler"
    raise InputError([Diagnostic("pallas-vmem", message, help=help)])
