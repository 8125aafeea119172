"""Scratchpad programs that run here: the emitted source, executed as it stands, as one callable."""

from __future__ import annotations

import linecache
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..inputs import bind_inputs
from ..writer import write_folder
from . import FOLDER
from .emit import ScratchpadSource, emit
from .instructions import ScratchpadProgram


@dataclass(frozen=True)
class BuiltProgram:
    """A scratchpad program, ready to run on its machine."""

    program: ScratchpadProgram
    source: ScratchpadSource
    module: Any
    """what the source defines"""

    @property
    def inputs(self) -> Mapping[str, tuple[tuple[int, ...], str]]:
        """Shape and dtype by the graph's name, in graph order."""
        return {name: (end.shape, end.dtype) for name, end in self.program.inputs.items()}

    @property
    def trace(self) -> list[tuple[str, str]]:
        """(piece, what executes it here)."""
        return [(f"{self.program.name}.run", f"scratchpad machine of {self.program.size_bytes} bytes")]

    def __call__(self, /, *args: Any, **named: Any) -> tuple[np.ndarray, ...]:
        """The outputs in graph order; InputError for inputs that are missing, unknown, or of another shape or kind."""
        return self.run(*args, **named)[0]

    def sharing(self, first: BuiltProgram) -> BuiltProgram:
        """This with what the source of `first` defines, which is equal."""
        return replace(self, module=first.module)

    def run(self, /, *args: Any, **named: Any) -> tuple[tuple[np.ndarray, ...], Any]:
        """The outputs in graph order, and the machine after the last instruction, with what it moved."""
        given = bind_inputs(self.program.name, self.inputs, args, named)
        outputs, machine = self.module.execute(given, self.source.weights)
        return tuple(outputs[name] for name in self.program.outputs), machine

    def save(self, folder: Path | str, force: bool = False) -> Path:
        """Write `scratchpad/<name>/` as the whole content of `folder`, as `write_folder` does; its absolute path."""
        return write_folder(self.source.files(f"{FOLDER}/{self.program.name}"), folder, force)


def build_scratchpad(program: ScratchpadProgram) -> BuiltProgram:
    """`program`, emitted and executed up to its first instruction."""
    source = emit(program)
    filename = f"<emitted {source.name}.py>"
    module = ModuleType(source.name)
    # Lets errors inside the program quote their line, though there is no file.
    linecache.cache[filename] = (len(source.text), None, source.text.splitlines(True), filename)
    exec(compile(source.text, filename, "exec"), module.__dict__)
    return BuiltProgram(program, source, module)
