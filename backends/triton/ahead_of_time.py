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


@dataclass(frozen=True)
class KernelResources:
    """What one compiled kernel occupies on the GPU, as `cuobjdump -res-usage` reports it."""

    registers: int
    """registers of one thread"""
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
    """What one kernel became for one compute capability."""

    ptx: str
    cubin: bytes
    resources: KernelResources


def compile_for_cuda(
    kernel: Any, types: Mapping[str, Types], constants: Mapping[str, Any], capability: int = 90
) -> CompiledKernel:
    """
    `kernel`, a `triton.jit` function, compiled for `sm_<capability>`.

    `types` gives the Triton type of each run-time argument (`"*fp32"`, `"i32"`, a tuple of them for a tuple);
    `constants` the value of each `tl.constexpr`. Pointers and integers are promised to be multiples of 16, as
    allocators and usual sizes make them; without that Triton vectorises and pipelines nothing.
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = list(kernel.arg_names)
    source = ASTSource(
        fn=kernel,
        signature={name: types.get(name, "constexpr") for name in names},
        constexprs={(names.index(name),): value for name, value in constants.items()},
        attrs={path: [["tt.divisibility", 16]] for path in _argument_paths(names, types)},
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="TRITON_DEFAULT_FP_FUSION")
        compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32))
    threads = 32 * compiled.metadata.num_warps
    usage = _read_resources(compiled.asm["cubin"], compiled.metadata.shared, threads)
    return CompiledKernel(compiled.asm["ptx"], compiled.asm["cubin"], usage)


def _argument_paths(names: list[str], types: Mapping[str, Types]) -> list[tuple[int, ...]]:
    paths: list[tuple[int, ...]] = []
    for name, kind in types.items():
        at = names.index(name)
        paths += [(at,)] if isinstance(kind, str) else [(at, k) for k in range(len(kind))]
    return paths


def _read_resources(cubin: bytes, dynamic_shared_bytes: int, threads: int) -> KernelResources:
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
