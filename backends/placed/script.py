"""The script `run.py` of a program in pieces, which needs no Dovetail: a row for each piece, and how its kind runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .. import OutputFile, safetensors
from ..python_text import lay_out, mapping_lines, quoted, tuple_of, which, with_comma
from ..script_inputs import with_inputs
from .drawn import below_of
from .run_template import CONSTANTS, DEVICES, HEAD, IMPORTS, LOADERS, TAIL

if TYPE_CHECKING:
    from .program import PlacedProgram


def script(program: PlacedProgram) -> list[OutputFile]:
    """`run.py`, and the weights that are outputs as they are."""
    ways = sorted({step.executor.way for step in program.steps})
    most = max((step.executor.devices for step in program.steps), default=1)
    shared = DEVICES.replace("COUNT", str(most)) if most > 1 else ""
    loaders = [LOADERS[way].replace("    # devices\n", shared) for way in ways]
    imports = "".join(dict.fromkeys(IMPORTS[way] for way in ways))
    given = "        inputs = inputs | constants()\n" if program.constants else ""
    parts = [
        HEAD.replace("WHICH", which(program.name)).replace("from pathlib", f"{imports}from pathlib"),
        "\n".join([*_pieces(program), *_ends(program)]) + "\n",
        *loaders,
        "\n".join(mapping_lines("LOADERS", {way: f"load_{way}" for way in ways})) + "\n",
        *([CONSTANTS] if program.constants else []),
        with_inputs(TAIL).replace("        # constants\n", given),
    ]
    text = parts[0] + "\n" + "\n\n".join(part.strip("\n") + "\n" for part in parts[1:])
    files = [OutputFile("run.py", text)]
    if program.constants:
        reader = Path(str(safetensors.__file__)).read_text(encoding="utf-8")
        data = safetensors.safetensors_bytes(program.constants)
        files += [OutputFile("weights_file.py", reader), OutputFile("constants.safetensors", data)]
    return files


def _pieces(program: PlacedProgram) -> list[str]:
    rows = ["PIECES = (  # (how it runs, module, file of weights, values it takes, values it gives)"]
    for step in program.steps:
        executor = step.executor
        rows += [
            f"    (  # {step.name}",
            f'        "{executor.way}",',
            f'        "{executor.module}",',
            f'        "{executor.weights_file}",',
            *(line for names in (step.takes, step.gives) for line in _row(names)),
            "    ),",
        ]
    return [*rows, ")"]


def _row(names: tuple[str, ...]) -> list[str]:
    return lay_out(with_comma(tuple_of([quoted(name) for name in names])), indent=8)


def _ends(program: PlacedProgram) -> list[str]:
    inputs = {name: tuple_of([str(shape), quoted(dtype)]) for name, (shape, dtype) in program.inputs.items()}
    outputs = {name: quoted(value) for name, value in program.outputs.items()}
    below = {name: str(rows) for name, rows in below_of(program).items()}
    drawn = "whole numbers that are drawn for an input" if below else ""
    return [
        *mapping_lines("INPUTS", inputs),
        *mapping_lines("BELOW", below, drawn),
        *mapping_lines("OUTPUTS", outputs, "the value of each"),
    ]
