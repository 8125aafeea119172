"""What turns a plan into files: the built-in backends, and those that other packages register.

A backend reads plan.json as a dict and returns the files it wants; `writer.py` alone touches the disk.
Other packages register a class under the entry-point group `dovetail.backends`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ..ir.diagnostics import Diagnostic, InputError
from ..passes.networks import Networks

ENTRY_POINT_GROUP = "dovetail.backends"
Made = TypeVar("Made")


@dataclass(frozen=True)
class OutputFile:
    """One file of the output folder."""

    path: str
    """relative to the output folder, with `/` between parts: `manifests/pool-p1.yaml`"""
    content: str | bytes
    """text is written as UTF-8"""


@dataclass(frozen=True)
class EmitContext:
    """What a backend may need beside the plan; one serves all plans of one graph and fleet."""

    base_dir: Path = Path()
    """folder that paths in the graph, such as `graph: tts.onnx`, are relative to"""
    code: Sequence[OutputFile] = ()
    """files of networks that were emitted before; they stand in place of what a backend writes to the same paths"""
    networks: Networks = field(default_factory=Networks, repr=False, compare=False)
    """those that were read and lowered"""
    made: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)
    """what `once` has made"""

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What `make` gives, made the first time that `key` is asked for: backends share what they have in common."""
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]

    def has_code(self, folder: str) -> bool:
        """Whether `code` has files in `folder` of the output folder."""
        return any(file.path.startswith(f"{folder}/") for file in self.code)


class Backend(Protocol):
    """A frozen class with a name and one verb."""

    @property
    def name(self) -> str:
        """What the backend is called in messages and in the registry."""
        ...

    def emit(self, plan: Mapping[str, Any], context: EmitContext) -> list[OutputFile]:
        """The files for `plan`, the document of plan.json; raises `InputError` for what it cannot express."""
        ...


def _manifests() -> Backend:
    from .manifests.emit import ManifestsBackend

    return ManifestsBackend()


def _report() -> Backend:
    from .report import ReportBackend

    return ReportBackend()


def _jax() -> Backend:
    from .jax.backend import JaxBackend

    return JaxBackend()


def _pallas() -> Backend:
    from .pallas.backend import PallasBackend

    return PallasBackend()


def _scratchpad() -> Backend:
    from .scratchpad_program.backend import ScratchpadBackend

    return ScratchpadBackend()


def _triton() -> Backend:
    from .triton.backend import TritonBackend

    return TritonBackend()


_BUILT_IN: Mapping[str, Callable[[], Backend]] = {
    "jax": _jax,
    "manifests": _manifests,
    "pallas": _pallas,
    "report": _report,
    "scratchpad": _scratchpad,
    "triton": _triton,
}


def backends() -> dict[str, Backend]:
    """All backends by name: the built-in ones, then registered ones in order of name.

    A registered backend under a built-in name replaces it, so that a site may bring its own manifests. Raises
    `InputError` for one that does not load.
    """
    found = {name: load() for name, load in _BUILT_IN.items()}
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name):
        try:
            found[point.name] = point.load()()
        except Exception as error:  # whatever the other package's code may raise
            message = f"the registered backend `{point.name}` ({point.value}) does not load: {error}"
            raise InputError([Diagnostic("backend", message)]) from error
    return found


def emit_all(plan: Mapping[str, Any], context: EmitContext | None = None) -> list[OutputFile]:
    """The files of every backend, in order of backend name, and the code that is in `context` already."""
    context = context or EmitContext()
    there = {file.path for file in context.code}
    found = [file for _, backend in sorted(backends().items()) for file in backend.emit(plan, context)]
    return [*(file for file in found if file.path not in there), *context.code]
