"""Compiles Triton kernels for a GPU that need not be there, and reads what each thread and block of them takes."""

from __future__ import annotations

import re
import subprocess
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Types = str | tuple[str, ...]
TARGETS = ("sm_80", "sm_90", "sm_100", "gfx942")
"""Ampere, Hopper, Blackwell; CDNA 3"""


@dataclass(frozen=True)
class KernelResources:
    """What one compiled kernel occupies on the GPU, as `cuobjdump -res-usage` or AMD's kernel descriptor reports it."""

    registers: int
    """registers of one thread; of vectors where the target has others too"""
    stack_bytes: int
    """stack of one thread: spilled registers and local arrays, 0 where nothing spills"""
    local_bytes: int
    """local memory of one thread beside the stack"""
    shared_bytes: int
    """shared memory of one block, static and dynamic"""
    threads: int
    """threads of one block"""

    @property
    def spills(self) -> bool:
        return self.stack_bytes + self.local_bytes > 0


@dataclass(frozen=True)
class CompiledKernel:
    """What one kernel became for one target."""

    assembly: str
    """PTX or AMDGCN"""
    binary: bytes
    """cubin or hsaco"""
    resources: KernelResources


def compile_kernel(
    kernel: Any, types: Mapping[str, Types], constants: Mapping[str, Any], target: str = "sm_90", **options: int
) -> CompiledKernel:
    """
    `kernel`, a `triton.jit` function, compiled for `target`: `sm_<capability>` or AMD's `gfx<number>`.

    `types` gives the Triton type of each run-time argument (`"*fp32"`, `"i32"`, a tuple of them for a tuple);
    `constants` the value of each `tl.constexpr`. A type "1" is an integer that is 1, which Triton knows when it
    launches. Pointers and integers are promised to be multiples of 16, as allocators and usual sizes make them; without
    that Triton vectorises and pipelines nothing. `options` are `num_warps` and `num_stages`.
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = list(kernel.arg_names)
    paths = {path: kind for name, kind in types.items() for path, kind in _paths(names.index(name), kind)}
    source = ASTSource(
        fn=kernel,
        signature={name: _signature(types.get(name, "constexpr")) for name in names},
        constexprs={(names.index(name),): value for name, value in constants.items()}
        | {path: 1 for path, kind in paths.items() if kind == "1"},
        attrs={path: [["tt.divisibility", 16]] for path, kind in paths.items() if kind != "1"},
    )
    is_cuda = target.startswith("sm_")
    gpu = GPUTarget("cuda", int(target[3:]), 32) if is_cuda else GPUTarget("hip", target, 64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="TRITON_DEFAULT_FP_FUSION")
        compiled = triton.compile(source, target=gpu, options=options)
    threads = gpu.warp_size * compiled.metadata.num_warps
    if is_cuda:
        usage = _cuda_resources(compiled.asm["cubin"], compiled.metadata.shared, threads)
        return CompiledKernel(compiled.asm["ptx"], compiled.asm["cubin"], usage)
    usage = _hip_resources(compiled.asm["amdgcn"], compiled.metadata.shared, threads)
    return CompiledKernel(compiled.asm["amdgcn"], compiled.asm["hsaco"], usage)


def _signature(kind: Types) -> Any:
    if isinstance(kind, str):
        return "constexpr" if kind == "1" else kind
    return tuple(_signature(each) for each in kind)


def _paths(at: int, kind: Types) -> list[tuple[tuple[int, ...], str]]:
    """(path, type) of an argument, or of each element of a tuple."""
    return [((at,), kind)] if isinstance(kind, str) else [((at, i), each) for i, each in enumerate(kind)]


def _cuda_resources(cubin: bytes, dynamic_shared_bytes: int, threads: int) -> KernelResources:
    """Triton's shared memory is dynamic, so cuobjdump counts only the static part of it."""
    from triton import knobs

    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        Path(file.name).write_bytes(cubin)
        text = subprocess.run(
            [knobs.nvidia.cuobjdump.path, "-res-usage", file.name], capture_output=True, text=True, check=True
        ).stdout
    usage = {key: int(value) for key, value in re.findall(r"\b(REG|STACK|SHARED|LOCAL):(\d+)", text)}
    return KernelResources(
        registers=usage["REG"],
        stack_bytes=usage["STACK"],
        local_bytes=usage["LOCAL"],
        shared_bytes=usage["SHARED"] + dynamic_shared_bytes,
        threads=threads,
    )


def _hip_resources(assembly: str, shared_bytes: int, threads: int) -> KernelResources:
    """Vector registers, spills to private memory and local data share from the metadata behind the code."""
    usage = {key: int(value) for key, value in re.findall(r"\.(\w+):\s+(\d+)$", assembly, re.MULTILINE)}
    return KernelResources(
        registers=usage["vgpr_count"],
        stack_bytes=usage["private_segment_fixed_size"],
        local_bytes=0,
        shared_bytes=max(usage["group_segment_fixed_size"], shared_bytes),
        threads=threads,
    )
