"""The sources of one network: the text of its module, with the tiles that it has or with open ones, and its weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from .. import OutputFile, safetensors
from ..python_text import LIBRARY_COLUMNS, Brackets, lay_out, mapping_lines, prefixed, quoted, sequence, tuple_of, which
from ..script_inputs import with_inputs
from . import interpret
from .emit import FUNCTIONS, OF_INTEGERS
from .launches import Launch, Tile
from .run_template import RUN

KERNELS = Path(__file__).parent / "kernels"


@cache
def kernel_texts() -> Mapping[str, str]:
    """The files of the library by path, which lie beside every emitted network."""
    return {f"kernels/{path.name}": path.read_text(encoding="utf-8") for path in sorted(KERNELS.glob("*.py"))}


@dataclass(frozen=True)
class NetworkSource:
    """The function of one network, and the weights that it takes."""

    name: str
    body: tuple[str | Launch, ...]
    """the lines of the function, and its launches"""
    imports: Mapping[str, set[str]]
    """module of the library -> what of it the function calls"""
    functions: Mapping[str, str]
    """name of a jitted function -> its text behind the name"""
    buffers: Mapping[str, str]
    """variable -> its type and shape"""
    weights: Mapping[str, np.ndarray]
    inputs: tuple[tuple[str, tuple[int, ...], str], ...]
    """(variable, shape, dtype) in graph order"""
    outputs: Sequence[str]
    tiles: Mapping[Launch, Tile] = field(default_factory=dict)
    """of launches that have another than the first of those that they may have"""

    @property
    def sources(self) -> Mapping[str, str]:
        """Texts by path."""
        return {f"{self.name}.py": self._module, **kernel_texts()}

    @cached_property
    def _module(self) -> str:
        return self._text(lambda launch: launch.lines(self.tile_of(launch)), ())

    def tile_of(self, launch: Launch) -> Tile:
        """The tile that it has."""
        return self.tiles.get(launch, launch.tiles[0])

    def open_text(self, numbers: Mapping[Launch, int]) -> str:
        """The module for whoever tries tiles: its function takes `tuned(number, launch)` first, which launches."""

        def write(launch: Launch) -> list[str]:
            known = launch in numbers
            return [launch.open_line(numbers[launch])] if known else launch.lines(self.tile_of(launch))

        return self._text(write, ("tuned",))

    @property
    def weights_file(self) -> str:
        """What the file of its weights is called."""
        return "weights.safetensors"

    def files(self, folder: str, weights_file: str | None = None) -> list[OutputFile]:
        """The sources, a script that runs them with no Dovetail, and the weights, in `folder` of the output folder."""
        texts = {**self.sources, "run.py": with_inputs(RUN).replace("network_name", self.name)}
        for name, module in (("host_tensor.py", interpret), ("weights_file.py", safetensors)):
            texts[name] = Path(str(module.__file__)).read_text(encoding="utf-8")
        texts["kernels/ruff.toml"] = f"line-length = {LIBRARY_COLUMNS}\n"
        files = [OutputFile(f"{folder}/{path}", text) for path, text in texts.items()]
        data = safetensors.safetensors_bytes(self.weights)
        return [*files, OutputFile(f"{folder}/{weights_file or self.weights_file}", data)]

    def _text(self, write: Callable[[Launch], list[str]], first: Sequence[str]) -> str:
        """The module, each launch as `write` has it, and the parameters of its function led by `first`."""
        given = [variable for variable, _, _ in self.inputs]
        table = [f"    {variable}: {dtype} {shape}" for variable, shape, dtype in self.inputs]
        lines = [
            *self._head(),
            "",
            "",
            *lay_out(Brackets(f"def {self.name}(", (*first, "w", "empty", *given), "):"), indent=0),
            '    """',
            "    The outputs for these inputs; `empty(shape, dtype)` makes a buffer.",
            "",
            *table,
            '    """',
        ]
        for line in self.body:
            lines += [line] if isinstance(line, str) else write(line)
        return "\n".join(lines) + "\n"

    def _head(self) -> list[str]:
        """What stands before the function."""
        code = "\n".join(f"\n\n@triton.jit\ndef {called}{text}" for called, text in self.functions.items())
        scalar = {
            f for f in {*FUNCTIONS.values(), *OF_INTEGERS.values()} if "." not in f and re.search(rf"\b{f}\(", code)
        }
        imports = {**self.imports, **({"elementwise": scalar} if scalar else {})}
        lines = [f'"""The network{which(self.name)} in Triton: the kernels that it launches, in order."""', ""]
        if self.functions:
            unused = "" if "tl." in code else "  # noqa: F401  the interpreter looks for it here"
            lines += ["import triton", f"import triton.language as tl{unused}"]
        for module in sorted(imports):
            lines.append(f"from kernels.{module} import {', '.join(sorted(imports[module]))}")
        rows = {variable: tuple_of([str(shape), quoted(dtype)]) for variable, shape, dtype in self.inputs}
        lines += [*([""] if lines[-1] else []), *mapping_lines("INPUTS", rows)]
        lines += lay_out(prefixed("OUTPUTS = ", sequence([quoted(each) for each in self.outputs])), indent=0)
        return [*lines, code] if code else lines
