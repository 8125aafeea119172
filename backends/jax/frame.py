"""The frame of an emitted JAX module: docstring, imports, weights, layers, and the function of the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..python_text import Brackets, lay_out, quoted


@dataclass(frozen=True)
class Input:
    """One input of a network."""

    name: str
    """what the graph calls it"""
    variable: str
    """what the emitted function calls it"""
    shape: tuple[int, ...]
    dtype: str
    donated: bool = False
    """whether an output may take its buffer"""


_WEIGHTS = '''def load_weights() -> dict[str, Array]:
    """The weights, by name, from the file beside this one."""
    from weights_file import read_safetensors

    arrays = read_safetensors(Path(__file__).with_suffix(".safetensors"))
    return {name: jnp.asarray(array) for name, array in arrays.items()}
'''


def program_text(
    name: str, inputs: Sequence[Input], outputs: Sequence[str], layers: Sequence[str], lines: Sequence[str]
) -> str:
    """The whole source of the network `name`."""
    body = "\n".join([*_jitted(inputs), _definition(name, inputs, outputs), *lines]) + "\n"
    tables = "\n".join([*_inputs(inputs), *_outputs(outputs)]) + "\n"
    parts = [_WEIGHTS, *layers, body]
    code = "\n\n".join(part.rstrip("\n") + "\n" for part in parts)
    head = f'"""The network {name} in JAX; its weights are in {name}.safetensors."""\n'
    return f"{head}\n{_imports(code)}\n{tables}\n\n{code}"


def _imports(code: str) -> str:
    lines = ["from functools import partial"] if "partial(" in code else []
    lines += ["from pathlib import Path", "", "import jax", "import jax.numpy as jnp"]
    lines += ["import numpy as np"] if "np." in code.replace("jnp.", "") else []
    lines.append("from jax import Array, lax" if "lax." in code else "from jax import Array")
    return "\n".join(lines) + "\n"


def _inputs(inputs: Sequence[Input]) -> list[str]:
    return ["INPUTS = {", *(f'    {quoted(i.name)}: ({i.shape}, "{i.dtype}"),' for i in inputs), "}"]


def _outputs(outputs: Sequence[str]) -> list[str]:
    names = [quoted(name) for name in outputs]
    return [f"OUTPUTS = ({names[0]},)"] if len(names) == 1 else ["OUTPUTS = (", *(f"    {n}," for n in names), ")"]


def _jitted(inputs: Sequence[Input]) -> list[str]:
    """The decorator of the network; callers give up the buffers of donated inputs."""
    names = [quoted(i.variable) for i in inputs if i.donated]
    if not names:
        return ["@jax.jit"]
    keyword = Brackets("donate_argnames=[", tuple(names), "]")
    return lay_out(Brackets("@partial(", ("jax.jit", keyword), ")"), indent=0)


def _definition(name: str, inputs: Sequence[Input], outputs: Sequence[str]) -> str:
    result = "Array" if len(outputs) == 1 else "tuple[Array, ...]"
    parameters = ["w: dict[str, Array]", *(f"{i.variable}: Array" for i in inputs)]
    lines = lay_out(Brackets(f"def {name}(", tuple(parameters), f") -> {result}:"), indent=0)
    shapes = ", ".join(f"{i.variable} {i.shape}" for i in inputs)
    return "\n".join([*lines, f'    """Apply the network to {shapes}."""'])
