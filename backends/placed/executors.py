"""What runs one piece here: the executor of its device's kind, or JAX where that does not take it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from ...ir.diagnostics import Diagnostic, Infeasible, InputError
from .. import OutputFile

if TYPE_CHECKING:
    from ...costmodel.hardware import Device
    from ...ir.nn import NnModule
    from ...passes.nn.precisions import Precisions
    from ..triton.interpreter import Interpreter

Way = Literal["triton", "pallas", "scratchpad", "jax"]
"""also the folder of the piece in an output folder: `triton/<piece>/`"""


@dataclass(frozen=True)
class Target:
    """Where a piece was placed."""

    name: str
    """the fleet's name of the device"""
    kind: str
    """`gpu`, `npu` or `cpu`"""
    device: Device | None
    """of the catalogue; None where nothing but its kind is known"""
    scratchpad_bytes: float | None = None


def require_formats(wanted: Precisions, target: Target) -> None:
    """InputError where `wanted` names fp8, and nothing says that `target` computes with it."""
    rates = target.device.flops_per_s if target.device else {}
    if "fp8" in wanted.formats and not rates.get("fp8"):
        known = f"it has {', '.join(sorted(rates))}" if rates else "the catalogue does not know it"
        help = "weights in int8 are kept on every device"
        raise InputError([Diagnostic("precision", f"`{target.name}` has no fp8: {known}", help=help)])


class Runs(Protocol):
    """A piece, ready to run."""

    @property
    def trace(self) -> list[tuple[str, str]]: ...

    def __call__(self, /, *inputs: np.ndarray) -> tuple[np.ndarray, ...]: ...


@dataclass(frozen=True)
class Executor:
    """One piece and what runs it."""

    way: Way
    module: str
    """of its emitted source, and its function"""
    run: Runs
    files: Callable[[str], list[OutputFile]]
    """what a folder of its own holds"""
    note: Diagnostic | None = None
    """why the executor of its kind of device does not run it, or which of its operators it leaves to XLA"""
    devices: int = 1
    """that share it"""

    @property
    def folder(self) -> str:
        """Where its files stand in an output folder."""
        return f"{self.way}/{self.module}"

    @property
    def trace(self) -> str:
        """What runs it, in words."""
        ((_, text),) = self.run.trace
        return f"{text}: {self.note.message}" if self.note else text


def executor_for(network: NnModule, name: str, target: Target, interpreter: Callable[[], Interpreter]) -> Executor:
    """
    What runs `network`, which is lowered for the kind of `target`.

    Pieces in the same interpreter have different names. Raises `InputError` where JAX code cannot be emitted either.
    """
    from ..jax.program import build_program

    note = None
    if target.kind in ACCELERATORS:
        try:
            return ACCELERATORS[target.kind](network, name, target, interpreter)
        except (Infeasible, InputError) as error:
            why = "; ".join(each.message for each in error.diagnostics)
            message = f"not on `{target.name}`, since {why}"
            note = Diagnostic("executor", message, severity="warning")
    program = build_program(network, name)
    return Executor("jax", program.source.name, program, program.source.files, note)


def _on_gpu(network: NnModule, name: str, target: Target, interpreter: Callable[[], Interpreter]) -> Executor:
    from ..triton.program import build_triton

    if target.device is None:
        raise InputError([Diagnostic("device", "its kernels have no tile sizes: the catalogue does not know it")])
    program = build_triton(network, name, target.device, interpreter())
    return Executor("triton", name, program, program.source.files)


def _on_npu(network: NnModule, name: str, target: Target, interpreter: Callable[[], Interpreter]) -> Executor:
    from ..pallas.backend import serves
    from ..scratchpad_program.backend import program_within
    from ..scratchpad_program.execute import build_scratchpad

    if target.scratchpad_bytes is None:
        raise InputError([Diagnostic("device", "the size of its scratchpad is not known")])
    if target.device is not None and serves(target.device):
        return _on_tpu(network, name, target.device, target.scratchpad_bytes)
    built = build_scratchpad(program_within(network, name, int(target.scratchpad_bytes)))
    return Executor("scratchpad", name, built, built.source.files)


def _on_tpu(network: NnModule, name: str, device: Device, scratchpad_bytes: float) -> Executor:
    from ..pallas.backend import core_bytes
    from ..pallas.program import build_pallas

    program = build_pallas(network, name, device.id, core_bytes(device, scratchpad_bytes))
    left = program.source.left
    message = f"XLA computes {'; '.join(left)}"
    note = Diagnostic("executor", message, severity="warning") if left else None
    return Executor("pallas", program.source.name, program, program.source.files, note)


ACCELERATORS: Mapping[str, Callable[[NnModule, str, Target, Callable[[], Interpreter]], Executor]] = {
    "gpu": _on_gpu,
    "npu": _on_npu,
}
