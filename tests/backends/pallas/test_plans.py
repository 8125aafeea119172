"""Blocks for VMEM: they fit, they are what costs least, and what cannot fit is refused part by part."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import pytest

from dovetail.backends.pallas.kernels.attention import flash_attention
from dovetail.backends.pallas.kernels.convolution import convolution
from dovetail.backends.pallas.kernels.elementwise import elementwise
from dovetail.backends.pallas.kernels.matmul import matmul
from dovetail.backends.pallas.kernels.norm import norm
from dovetail.backends.pallas.plan import KernelPlan
from dovetail.backends.pallas.products import matmul_held, plan_attention, plan_convolution, plan_matmul
from dovetail.backends.pallas.rows import plan_elementwise, plan_norm
from dovetail.backends.pallas.vmem import Held, held_bytes, require_vmem
from dovetail.ir.diagnostics import InputError
from dovetail.planner.scratchpad.tiling.shapes import Slide

MIB = 2**20
VMEM = {"v5e": 128 * MIB, "v5p": 64 * MIB, "v6e": 128 * MIB}
"""of one core: what JAX 0.10.2 says of each chip"""
TOPOLOGY = {"v5e": "v5e:2x2", "v5p": "v5p:2x2x1", "v6e": "v6e:2x2"}
Case = tuple[Callable[..., Any], KernelPlan, list[tuple[int, ...]], dict[str, Any]]


def cases(dtype: str, vmem_bytes: float) -> dict[str, Case]:
    """Kernel, its plan, shapes of its operands and what else it is given."""
    rows = Slide(56, 3, 2, 1, 1)
    image = {"strides": (2, 2), "pads": (1, 1, 1, 1), "activation": jax.nn.relu}
    heads, caches = (1, 32, 2048, 128), (1, 8, 2048, 128)
    return {
        "matmul": (
            matmul, plan_matmul(4096, 11008, 4096, dtype, vmem_bytes, bias=True),
            [(4096, 4096), (4096, 11008), (11008,)], {"activation": jax.nn.silu}),
        "ragged matmul": (matmul, plan_matmul(50, 200, 300, dtype, vmem_bytes), [(50, 300), (300, 200)], {}),
        "attention": (
            flash_attention, plan_attention(32, 8, 2048, 2048, 128, dtype, vmem_bytes), [heads, caches, caches],
            {"scale": 0.1, "causal": True, "window": 512}),
        "norm": (
            norm, plan_norm(2048, 4096, dtype, vmem_bytes), [(2048, 4096), (4096,)],
            {"epsilon": 1e-5, "centred": False}),
        "elementwise": (
            partial(elementwise, lambda a, b: jax.nn.silu(a) * b),
            plan_elementwise(2048, 4096, 2, dtype, vmem_bytes), [(2048, 4096)] * 2, {}),
        "convolution": (
            convolution, plan_convolution(1, 256, 512, rows, rows, dtype, vmem_bytes),
            [(1, 56, 56, 256), (3, 3, 256, 512), (512,)], image),
    }  # fmt: skip


NAMES = tuple(cases("float32", VMEM["v5e"]))


def lowered(case: Case, dtype: str) -> Any:
    kernel, plan, shapes, given = case
    call = partial(kernel, blocks=plan.blocks, vmem_bytes=plan.limit_bytes, **given)
    return jax.jit(call).trace(*(jax.ShapeDtypeStruct(shape, dtype) for shape in shapes))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("vmem_mib", [16, 128])
def test_plans_fit_and_lower_for_a_tpu_that_is_not_there(name: str, dtype: str, vmem_mib: int) -> None:
    case = cases(dtype, vmem_mib * MIB)[name]
    assert held_bytes(case[1].held) <= case[1].limit_bytes == vmem_mib * MIB
    module = lowered(case, dtype).lower(lowering_platforms=("tpu",)).as_text()
    assert "tpu_custom_call" in module


@pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None, reason="the compiler for TPUs, libtpu, is not installed"
)
@pytest.mark.slow
@pytest.mark.parametrize("chip", VMEM)
@pytest.mark.parametrize("name", NAMES)
def test_plans_compile_for_each_chip(name: str, chip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from jax.experimental import topologies
    from jax.sharding import SingleDeviceSharding

    monkeypatch.setenv("TPU_SKIP_MDS_QUERY", "1")
    described = topologies.get_topology_desc(platform="tpu", topology_name=TOPOLOGY[chip])
    kernel, plan, shapes, given = cases("bfloat16", VMEM[chip])[name]
    call = partial(kernel, blocks=plan.blocks, vmem_bytes=plan.limit_bytes, **given)
    on = SingleDeviceSharding(described.devices[0])
    operands = [jax.ShapeDtypeStruct(shape, "bfloat16", sharding=on) for shape in shapes]
    assert jax.jit(call, out_shardings=on).lower(*operands).compile() is not None


def test_products_hold_what_the_compiler_was_found_to_need() -> None:
    """The smallest limits [MiB] with which libtpu 0.0.51 compiled the matmul kernel for v5e, 2026-11-21."""
    needed = {
        ("float32", 512, 512, 512): 11.25, ("float32", 1024, 256, 512): 16.5, ("float32", 256, 1024, 512): 10.125,
        ("float32", 256, 256, 2048): 16.875, ("bfloat16", 512, 512, 512): 4.375,
        ("bfloat16", 1024, 1024, 512): 12.875, ("bfloat16", 256, 256, 2048): 5.5,
    }  # fmt: skip
    for (dtype, m, n, k), least in needed.items():
        assert least <= held_bytes(matmul_held(m, n, k, dtype)) / MIB <= 1.3 * least + 1


def test_more_vmem_moves_no_more_bytes() -> None:
    moved = [plan_matmul(4096, 4096, 4096, "bfloat16", size * MIB).moved_bytes for size in (2, 4, 16, 64)]
    assert moved == sorted(moved, reverse=True)
    assert moved[0] > moved[1] > moved[2]
    assert moved[-1] == 2 * 4096 * 4096 * (4 + 4 + 1)  # blocks of 1024: each factor once for each block of the other


def test_native_tiles_are_filled_up() -> None:
    assert Held("x", (5, 130), "float32", 1).bytes == 8 * 256 * 4
    assert Held("x", (5, 130), "bfloat16").bytes == 2 * 16 * 256 * 2
    assert Held("x", (3, 33, 1), "int8", 1).bytes == 3 * 64 * 128


def test_blocks_that_overflow_are_refused_part_by_part() -> None:
    with pytest.raises(InputError) as told:
        require_vmem("matmul", matmul_held(4096, 4096, 4096, "float32"), 128 * MIB)
    text = str(told.value)
    assert "`matmul` needs 806,354,944 bytes of VMEM, there are 134,217,728" in text
    assert "`w` 2 x float32[4096, 4096]: 134,217,728 bytes" in text


def test_rows_that_fit_in_no_block_are_refused() -> None:
    with pytest.raises(InputError, match="the kernel `norm` needs 940,572,672 bytes of VMEM, there are 16,777,216"):
        plan_norm(2048, 1 << 22, "float32", 16 * MIB)
