"""Emits a scratchpad program as one Python file, which needs jax and numpy alone, and its weights as safetensors."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .. import OutputFile, safetensors
from ..python_text import Brackets, Expression, call, lay_out, mapping_lines, quoted, sequence, tuple_of, which
from ..safetensors import safetensors_bytes
from ..script_inputs import DECLARED, WRITE_OUTPUTS
from . import machine
from .frame import HEAD, TAIL
from .instructions import Free, Instruction, Load, Outside, Run, ScratchpadProgram, Store, Streamed
from .machine import At
from .operators import LAYERS_BY_NAME


@dataclass(frozen=True)
class ScratchpadSource:
    """The source of one program, and its weights by name."""

    name: str
    text: str
    weights: Mapping[str, np.ndarray]

    @property
    def sources(self) -> Mapping[str, str]:
        """`<name>.py`."""
        return {f"{self.name}.py": self.text}

    @property
    def weights_file(self) -> str:
        """What the file of its weights is called."""
        return f"{self.name}.safetensors"

    def files(self, folder: str, weights_file: str | None = None) -> list[OutputFile]:
        """
        `<name>.py`, and the weights as `weights_file` (`<name>.safetensors`), in `folder` of the output folder.

        Equal programs give equal bytes.
        """
        data = safetensors_bytes(self.weights)
        return [
            OutputFile(f"{folder}/{self.name}.py", self.text),
            OutputFile(f"{folder}/{weights_file or self.weights_file}", data),
        ]


def emit(program: ScratchpadProgram) -> ScratchpadSource:
    """The source of `program`: the machine, a function for each different operator, and the instructions in order."""
    tables = [
        f"SIZE_BYTES = {program.size_bytes}",
        f"DMA_BYTES = {program.dma_bytes}  # {program.noncompulsory_bytes} of them beyond the compulsory",
        *_table("INPUTS", program.inputs),
        *_table("OUTPUTS", program.outputs),
    ]
    parts = [
        _head(program),
        "\n".join(tables) + "\n",
        _machine_text(),
        _reader_text(),
        *(_layer_text(name) for name in program.layers),
        *program.functions.values(),
        _network_text(program),
        DECLARED.replace("numpy_type(", "np.dtype("),  # jax, which it imports, names them all
        WRITE_OUTPUTS.replace("path: str", "path: Path"),
        TAIL.replace("network_name", program.name).replace("WHICH", which(program.name)),
    ]
    text = parts[0] + "\n" + "\n\n".join(part.strip("\n") + "\n" for part in parts[1:])
    return ScratchpadSource(program.name, text, {**program.weights, **program.parameters})


def _head(program: ScratchpadProgram) -> str:
    code = "".join([*program.functions.values(), *(_layer_text(name) for name in program.layers)])
    imported = ", ".join(name for name in ("Array", "lax") if re.search(rf"\b{name}\b", code))
    head = (
        HEAD.replace("network_name", program.name)
        .replace("WHICH", which(program.name))
        .replace("SIZE", f"{program.size_bytes:,}")
    )
    names = ["import jax"] if re.search(r"\bjax\.", code) else []
    names += ["import jax.numpy as jnp"] if "jnp." in code else []
    names += ["import numpy as np", *([f"from jax import {imported}"] if imported else [])]
    return head + "\n".join(names) + "\n"


def _table(name: str, ends: Mapping[str, Outside]) -> list[str]:
    rows = {end: tuple_of([quoted(o.tensor), quoted(o.dtype), str(o.shape)]) for end, o in ends.items()}
    return mapping_lines(name, rows)


def _machine_text() -> str:
    text = inspect.getsource(machine)
    return text[text.index("class MachineFault") :]


def _reader_text() -> str:
    text = inspect.getsource(safetensors)
    return text[text.index("SAFETENSORS = {") : text.index("def safetensors_bytes")]


def _layer_text(name: str) -> str:
    return inspect.getsource(LAYERS_BY_NAME[name])


def _network_text(program: ScratchpadProgram) -> str:
    parameters = ("npu: Scratchpad", "w: Mapping[str, np.ndarray]")
    lines = lay_out(Brackets(f"def {program.name}(", parameters, ") -> None:"), indent=0)
    lines.append(f'    """Run {len(program.steps)} operators, with the DMA between them; `w` are weights."""')
    for number, step in enumerate(program.steps):
        (run,) = (each for each in step if isinstance(each, Run))
        made = ", ".join(str(at.shape) for at in run.writes)
        lines.append(f"    # step {number}: {' '.join(run.operator.split())} -> {made}")
        lines += [line for each in step for line in _line(each, program)]
    return "\n".join(lines) + "\n"


def _line(instruction: Instruction, program: ScratchpadProgram) -> list[str]:
    match instruction:
        case Load(address, tensor):
            return lay_out(call("npu.load", str(address), quoted(tensor)))
        case Store(address, tensor):
            return lay_out(call("npu.store", str(address), quoted(tensor)))
        case Free(tensors):
            return lay_out(call("npu.free", *map(quoted, tensors)))
        case Run(_, function, reads, writes, over):
            operands = [sequence([_operand(r, program) for r in reads]), sequence([_at(w) for w in writes])]
            names = [sequence([quoted(tensor) for tensor in over])] if over else []
            return lay_out(call("npu.run", function, *operands, *names))


def _operand(read: At | Streamed, program: ScratchpadProgram) -> Expression:
    if isinstance(read, At):
        return _at(read)
    text = f"w[{quoted(read.weight)}]"
    return text if program.weights[read.weight].shape == read.shape else f"{text}.reshape({_sizes(read.shape)})"


def _at(at: At) -> Expression:
    return call("At", str(at.address), quoted(at.tensor), quoted(at.dtype), str(at.shape))


def _sizes(shape: Sequence[int]) -> str:
    return ", ".join(map(str, shape)) or "()"
