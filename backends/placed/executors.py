"""What runs one piece here: the executor of its device's kind, or JAX where that does not take it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from ...ir.diagnostics import Diagnostic, Infeasible, InputError
from .. import OutputFile
from ..dtypes import require_types

if TYPE_CHECKING:
    from ...costmodel.hardware import Device
    from ...ir.nn import NnModule
    from ...passes.nn.precisions import Precisions
    from ..triton.autotune import Tuner
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


class Source(Protocol):
    """What is emitted for a piece."""

    @property
    def name(self) -> str:
        """Of the module, and of the function in it."""
        ...

    @property
    def sources(self) -> Mapping[str, str]:
        """Texts by path, which tell whether two pieces are equal but for their weights."""
        ...

    @property
    def weights_file(self) -> str:
        """What the file of its weights is called."""
        ...

    def files(self, folder: str, weights_file: str | None = None) -> list[OutputFile]:
        """The texts, and the weights as `weights_file`, in `folder` of the output folder."""
        ...


class Runs(Protocol):
    """A piece, ready to run."""

    @property
    def source(self) -> Source: ...

    @property
    def trace(self) -> list[tuple[str, str]]: ...

    def sharing(self, first: Any, /) -> Runs:
        """This with the function of a piece whose sources are equal, and weights of its own."""
        ...

    def __call__(self, /, *inputs: np.ndarray) -> tuple[np.ndarray, ...]: ...


@dataclass(frozen=True)
class Executor:
    """One piece and what runs it."""

    way: Way
    run: Runs
    weights_file: str
    """of the piece, beside the sources that it may share with others"""
    note: Diagnostic | None = None
    """why the executor of its kind of device does not run it, or which of its operators it leaves to XLA"""
    devices: int = 1
    """that share it"""
    tiles: Sequence[Mapping[str, Any]] | None = None
    """what was measured of each launch, where tiles were"""

    @property
    def module(self) -> str:
        """Of its emitted source, and its function."""
        return self.run.source.name

    @property
    def sources(self) -> Mapping[str, str]:
        """The emitted texts by path."""
        return self.run.source.sources

    def files(self, folder: str) -> list[OutputFile]:
        """Sources and weights in `folder`."""
        return self.run.source.files(folder, self.weights_file)

    def sharing(self, first: Executor, name: str) -> Executor:
        """This with the function of `first`, whose sources are equal, for the piece `name`."""
        return replace(self, run=self.run.sharing(first.run), weights_file=f"{name}.safetensors")

    @property
    def folder(self) -> str:
        """Where its files stand in an output folder; equal pieces share it."""
        return f"{self.way}/{self.module}"

    @property
    def trace(self) -> str:
        """What runs it, in words."""
        ((_, text),) = self.run.trace
        return f"{text}: {self.note.message}" if self.note else text


def executor_for(
    network: NnModule, name: str, target: Target, interpreter: Callable[[], Interpreter], tuner: Tuner | None = None
) -> Executor:
    """
    What runs `network`, which is lowered for the kind of `target`; its tiles are those that `tuner` finds fastest.

    Pieces in the same interpreter have different names. Raises `InputError` where JAX code cannot be emitted either,
    and where tiles cannot be timed.
    """
    from ..jax.program import build_program

    require_types(network)
    note = None
    if target.kind in ACCELERATORS:
        try:
            made = ACCELERATORS[target.kind](network, name, target, interpreter)
        except (Infeasible, InputError) as error:
            why = "; ".join(each.message for each in error.diagnostics)
            message = f"not on `{target.name}`, since {why}"
            note = Diagnostic("executor", message, severity="warning")
        else:
            return made if tuner is None else _tuned(made, tuner)
    program = build_program(network, name)
    return Executor("jax", program, program.source.weights_file, note)


def _tuned(executor: Executor, tuner: Tuner) -> Executor:
    from ..triton.program import TritonProgram

    if not isinstance(executor.run, TritonProgram):
        return executor
    run, rows = executor.run.tuned(tuner)
    return replace(executor, run=run, tiles=rows)


def _on_gpu(network: NnModule, name: str, target: Target, interpreter: Callable[[], Interpreter]) -> Executor:
    from ..triton.program import build_triton

    if target.device is None:
        raise InputError([Diagnostic("device", "its kernels have no tile sizes: the catalogue does not know it")])
    program = build_triton(network, name, target.device, interpreter())
    return Executor("triton", program, program.source.weights_file)


def _on_npu(network: NnModule, name: str, target: Target, interpreter: Callable[[], Interpreter]) -> Executor:
    from ..pallas.backend import serves
    from ..scratchpad_program.backend import program_within
    from ..scratchpad_program.execute import build_scratchpad

    if target.scratchpad_bytes is None:
        raise InputError([Diagnostic("device", "the size of its scratchpad is not known")])
    if target.device is not None and serves(target.device):
        return _on_tpu(network, name, target.device, target.scratchpad_bytes)
    built = build_scratchpad(program_within(network, name, int(target.scratchpad_bytes)))
    return Executor("scratchpad", built, built.source.weights_file)


def _on_tpu(network: NnModule, name: str, device: Device, scratchpad_bytes: float) -> Executor:
    from ..pallas.backend import core_bytes
    from ..pallas.program import build_pallas

    program = build_pallas(network, name, device.id, core_bytes(device, scratchpad_bytes))
    left = program.source.left
    message = f"XLA computes {'; '.join(left)}"
    note = Diagnostic("executor", message, severity="warning") if left else None
    return Executor("pallas", program, program.source.weights_file, note)


ACCELERATORS: Mapping[str, Callable[[NnModule, str, Target, Callable[[], Interpreter]], Executor]] = {
    "gpu": _on_gpu,
    "npu": _on_npu,
}
