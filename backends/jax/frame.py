"""The frame of an emitted JAX module: docstring, imports, weights, layers, and the function of the network."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..python_text import Brackets, lay_out, mapping_lines, prefixed, quoted, tuple_of, which


@dataclass(frozen=True)
class Input:
    """One input of a network."""

    name: str
    """what the graph calls it"""
    variable: str
    """what the emitted function calls it"""
    shape: tuple[int, ...]
    dtype: str
    shown: str
    """its shape with the names of its axes"""
    donated: bool = False
    """whether an output may take its buffer"""


WEIGHTS = '''def load_weights(path: Path | None = None) -> dict[str, Array]:
    """The weights, by name, from the file at `path`, or the one called as this one."""
    from weights_file import read_safetensors

    arrays = read_safetensors(path or Path(__file__).with_suffix(".safetensors"))
    return {name: jnp.asarray(array) for name, array in arrays.items()}
'''


WIDE = "@jax.enable_x64(True)  # else JAX has no integers of 64 bits"


def weights_text(text: str, wide: bool) -> str:
    """`text`, the functions that load the weights, the last of which keeps 64 bits if `wide`."""
    head, found, body = text.rpartition("def load_weights")
    return f"{head}{WIDE}\n{found}{body}" if wide else text


def program_text(
    name: str,
    inputs: Sequence[Input],
    outputs: Sequence[str],
    layers: Sequence[str],
    lines: Sequence[str],
    wide: bool = False,
) -> str:
    """The whole source of the network `name`; `wide` where it has integers of 64 bits."""
    shapes = ", ".join(f"{i.variable} {i.shown}" for i in inputs)
    about = f'    """Apply the network to {shapes}."""'
    body = [*decorated(inputs, wide), *definition(name, inputs, outputs), about, *lines]
    head = f"The network{which(name)} in JAX; its weights are in {name}.safetensors."
    return module_text(head, inputs, outputs, [weights_text(WEIGHTS, wide), *layers, "\n".join(body)])


def module_text(
    head: str,
    inputs: Sequence[Input],
    outputs: Sequence[str],
    functions: Sequence[str],
    tables: Sequence[str] = (),
    imports: Sequence[str] = (),
) -> str:
    """A module of `functions` behind the tables of inputs and outputs, `tables`, and what all of it imports."""
    rows = "\n".join([*_inputs(inputs), *_outputs(outputs), *tables]) + "\n"
    code = "\n\n".join(part.rstrip("\n") + "\n" for part in functions)
    return f'"""{head}"""\n\n{_imports(code, imports)}\n{rows}\n\n{code}'


def _imports(code: str, more: Sequence[str]) -> str:
    lines = ["from functools import partial"] if "partial(" in code else []
    lines += ["from pathlib import Path", "", "import jax", "import jax.numpy as jnp"]
    lines += ["import numpy as np"] if "np." in code.replace("jnp.", "") else []
    lines.append("from jax import Array, lax" if "lax." in code else "from jax import Array")
    return "\n".join([*lines, *more]) + "\n"


def _inputs(inputs: Sequence[Input]) -> list[str]:
    return mapping_lines("INPUTS", {i.name: tuple_of([str(i.shape), quoted(i.dtype)]) for i in inputs})


def _outputs(outputs: Sequence[str]) -> list[str]:
    names = [quoted(name) for name in outputs]
    if len(names) == 1:
        return lay_out(prefixed("OUTPUTS = ", tuple_of(names)), indent=0)
    return ["OUTPUTS = (", *(f"    {n}," for n in names), ")"]


def jitted(function: Any) -> Any:
    """What `jax.jit` gave of an emitted function, without what tells JAX to keep 64 bits."""
    return inspect.unwrap(function, stop=lambda each: hasattr(each, "lower"))


def decorated(inputs: Sequence[Input], wide: bool) -> list[str]:
    """The decorators that jit the network; callers give up the buffers of donated inputs."""
    width = [WIDE] if wide else []
    names = [quoted(i.variable) for i in inputs if i.donated]
    if not names:
        return [*width, "@jax.jit"]
    keyword = Brackets("donate_argnames=[", tuple(names), "]")
    return [*width, *lay_out(Brackets("@partial(", ("jax.jit", keyword), ")"), indent=0)]


def definition(name: str, inputs: Sequence[Input], outputs: Sequence[str]) -> list[str]:
    """The lines of `def name(w, inputs...)`."""
    result = "Array" if len(outputs) == 1 else "tuple[Array, ...]"
    parameters = ["w: dict[str, Array]", *(f"{i.variable}: Array" for i in inputs)]
    return lay_out(Brackets(f"def {name}(", tuple(parameters), f") -> {result}:"), indent=0)
