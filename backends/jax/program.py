"""The frame of an emitted JAX module: docstring, imports, weights, layers, and the function of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..python_text import call, lay_out, prefixed

Signature = Mapping[str, tuple[tuple[int, ...], str]]
"""Variable -> (shape, dtype)."""

_WEIGHTS = '''def load_weights() -> dict[str, Array]:
    """The weights, by name, from the file beside this one."""
    with np.load(Path(__file__).with_suffix(".npz"), allow_pickle=False) as file:
        return {name: jnp.asarray(file[name]) for name in file.files}
'''


def program_text(
    name: str, inputs: Signature, outputs: Sequence[str], layers: Sequence[str], lines: Sequence[str]
) -> str:
    """The whole source of the network `name`."""
    body = "\n".join([_definition(name, inputs, outputs), *lines]) + "\n"
    tables = "\n".join([*_inputs(inputs), *_outputs(outputs)]) + "\n"
    parts = [_WEIGHTS, *layers, body]
    code = "\n\n".join(part.rstrip("\n") + "\n" for part in parts)
    head = f'"""The network {name} in JAX; its weights are in {name}.npz."""\n'
    return f"{head}\n{_imports(code)}\n{tables}\n\n{code}"


def _imports(code: str) -> str:
    lines = ["from pathlib import Path", ""]
    lines += ["import jax"] if "jax.nn." in code else []
    lines += ["import jax.numpy as jnp", "import numpy as np"]
    lines.append("from jax import Array, lax" if "lax." in code else "from jax import Array")
    return "\n".join(lines) + "\n"


def _inputs(inputs: Signature) -> list[str]:
    return ["INPUTS = {", *(f'    "{key}": ({shape}, "{dtype}"),' for key, (shape, dtype) in inputs.items()), "}"]


def _outputs(outputs: Sequence[str]) -> list[str]:
    quoted = [f'"{name}"' for name in outputs]
    return [f"OUTPUTS = ({quoted[0]},)"] if len(quoted) == 1 else ["OUTPUTS = (", *(f"    {q}," for q in quoted), ")"]


def _definition(name: str, inputs: Signature, outputs: Sequence[str]) -> str:
    result = "Array" if len(outputs) == 1 else "tuple[Array, ...]"
    parameters = ["w: dict[str, Array]", *(f"{variable}: Array" for variable in inputs)]
    header = call(f"def {name}", *parameters)
    lines = lay_out(prefixed("", header), indent=0)
    lines[-1] += f" -> {result}:"
    shapes = ", ".join(f"{variable} {shape}" for variable, (shape, _) in inputs.items())
    return "\n".join([*lines, f'    """Apply the network to {shapes}."""'])
