"""Cases that read each element once: norms, softmax, elementwise chains, copies."""

from __future__ import annotations

from typing import Any

from dovetail.backends.triton.interpreter import library
from dovetail.backends.triton.network_products import BLOCKS
from dovetail.backends.triton.row_tiles import row_tiles

from .case import Case, Rival, Spec, beside, compiled, size_bytes
from .machines import Machine

EPSILON = 1e-5


def norm(on: Machine, rows: int, n: int, centred: bool, residual: bool = False, dtype: str = "float16") -> Case:
    """Layer norm if `centred`, else RMS norm; of x + residual, which is written too, if there is a residual."""
    x, out, scale = on.normal(rows, n, dtype=dtype), on.empty(rows, n, dtype=dtype), on.normal(n, dtype=dtype)
    tensors: dict[str, Any] = {"x": x, "out": out, "scale": scale}
    tensors["bias"] = on.normal(n, dtype=dtype) if centred else None
    tensors["residual"] = on.normal(rows, n, dtype=dtype) if residual else None
    tensors["total"] = on.empty(rows, n, dtype=dtype) if residual else None

    def expected(xp: Any, t: Any) -> Any:
        total = t.x + t.residual if residual else t.x
        y = total - total.mean(-1)[:, None] if centred else total
        y = y / xp.sqrt((y * y).mean(-1) + EPSILON)[:, None] * t.scale
        y = y + t.bias if centred else y
        return (y, total) if residual else y

    def layer(torch: Any, x: Any, scale: Any, bias: Any) -> Any:
        return torch.nn.functional.layer_norm(x, (n,), scale, bias, EPSILON)

    def rms(torch: Any, x: Any, scale: Any) -> Any:
        return torch.nn.functional.rms_norm(x, (n,), scale, EPSILON)

    def added(torch: Any, x: Any, residual: Any, scale: Any) -> Any:
        total = x + residual
        return rms(torch, total, scale), total

    rival = (
        Rival("layer_norm", ("x", "scale", "bias"), layer) if centred
        else Rival("add, rms_norm", ("x", "residual", "scale"), added) if residual
        else Rival("rms_norm", ("x", "scale"), rms)
    )  # fmt: skip
    options = {"centred": centred, "epsilon": EPSILON, **row_tiles(on.device, rows, n).options("block_rows", "block_n")}
    moved = size_bytes(dtype, *[(rows, n)] * (4 if residual else 2), *[(n,)] * (2 if centred else 1))
    writes = ("out", "total") if residual else ("out",)
    return Case(
        library("norm"), tensors, options, expected, (rival, compiled(rival)), dtype, 6.0 * rows * n, moved,
        writes=writes,
    )  # fmt: skip


def softmax(on: Machine, rows: int, n: int, dtype: str = "float16") -> Case:
    """Along rows."""

    def expected(xp: Any, t: Any) -> Any:
        powers = xp.exp(t.x - xp.amax(t.x, -1)[:, None])
        return powers / powers.sum(-1)[:, None]

    rival = Rival("softmax", ("x",), lambda torch, x: torch.nn.functional.softmax(x, -1))
    tensors = {"x": on.normal(rows, n, dtype=dtype), "out": on.empty(rows, n, dtype=dtype)}
    options = {"axis": 1, **row_tiles(on.device, rows, n).options("block_kept", "block_n")}
    moved = size_bytes(dtype, (rows, n), (rows, n))
    return Case(library("softmax"), tensors, options, expected, (rival, compiled(rival)), dtype, 5.0 * rows * n, moved)


def gated(on: Machine, rows: int, n: int, dtype: str = "float16") -> Case:
    """x silu(gate)."""
    x, gate = (on.normal(rows, n, dtype=dtype) for _ in range(2))
    tensors = {"operands": [x, gate], "out": on.empty(rows, n, dtype=dtype)}

    def expected(xp: Any, t: Any) -> Any:
        return t.x * t.gate / (1.0 + xp.exp(-t.gate))

    rival = Rival("silu, mul", ("x", "gate"), lambda torch, x, gate: x * torch.nn.functional.silu(gate))
    return Case(
        library("pointwise"), tensors, {"chain": beside("gated"), **BLOCKS}, expected, (rival, compiled(rival)),
        dtype, 5.0 * rows * n, size_bytes(dtype, *[(rows, n)] * 3), {"x": x, "gate": gate},
    )  # fmt: skip


def copy(on: Machine, rows: int, n: int, transposed: bool, dtype: str = "float16") -> Case:
    """A copy, of the transposition or as it is: the latter is what the memory gives."""
    x = on.normal(rows, n, dtype=dtype)
    view = x.T if transposed else x
    shape = (n, rows) if transposed else (rows, n)
    rival = Rival("transposed copy", ("x",), lambda torch, x: x.clone(memory_format=torch.contiguous_format))
    rival = rival if transposed else Rival("copy", ("x",), lambda torch, x: x.clone())
    return Case(
        library("copy"), {"x": view, "out": on.empty(*shape, dtype=dtype)}, BLOCKS, lambda xp, t: t.x,
        (rival,), dtype, 0.0, size_bytes(dtype, shape, shape),
    )  # fmt: skip


def _rows(name: str, build: Any, small: dict[str, int], rows: int = 16384, n: int = 4096, **options: Any) -> Spec:
    full = {"rows": rows, "n": n, **options}
    return Spec(f"{name}, {rows} x {n} float16", "copies" if build is copy else "rows", build, full, {**full, **small})


SPECS = (
    _rows("RMS norm", norm, {"rows": 5, "n": 300}, centred=False),
    _rows("RMS norm after a sum", norm, {"rows": 5, "n": 300}, centred=False, residual=True),
    _rows("layer norm", norm, {"rows": 5, "n": 300}, centred=True),
    _rows("layer norm", norm, {"rows": 2, "n": 20000}, 4096, 32768, centred=True),
    _rows("softmax", softmax, {"rows": 5, "n": 300}),
    _rows("softmax", softmax, {"rows": 2, "n": 20000}, 4096, 32768),
    _rows("elementwise, x silu(gate)", gated, {"rows": 50, "n": 70}),
    _rows("copy", copy, {"rows": 50, "n": 70}, transposed=False),
    _rows("copy of a transposition", copy, {"rows": 50, "n": 70}, transposed=True),
)
