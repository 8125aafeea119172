"""What turns a plan into files: the built-in backends, and those that other packages register.

A backend reads plan.json as a dict and returns the files it wants; `writer.py` alone touches the disk.
Other packages register a class under the entry-point group `dovetail.backends`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from ..ir.diagnostics import Diagnostic, InputError

ENTRY_POINT_GROUP = "dovetail.backends"


@dataclass(frozen=True)
class OutputFile:
    """One file of the output folder."""

    path: str
    """relative to the output folder, with `/` between parts: `manifests/pool-p1.yaml`"""
    content: str | bytes
    """text is written as UTF-8"""


@dataclass(frozen=True)
class EmitContext:
    """What a backend may need beside the plan."""

    base_dir: Path = Path()
    """folder that paths in the graph, such as `graph: tts.onnx`, are relative to"""


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
    """The files of every backend, in order of backend name."""
    context = context or EmitContext()
    return [file for _, backend in sorted(backends().items()) for file in backend.emit(plan, context)]
