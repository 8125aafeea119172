"""The frame of an emitted module: what kernels compute and what XLA does, imports, and the network's function."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from ..jax.frame import WEIGHTS, WIDE, Input, module_text, weights_text
from ..python_text import WIDTH, Brackets, lay_out, which

KERNELS = "pallas_kernels"
"""the folder of kernels beside the module; it has no `__init__.py`, so that those of several pieces are one package"""
INTERPRET = 'INTERPRET = jax.default_backend() != "tpu"  # kernels run in Pallas\'s interpreter'


def program_text(
    name: str,
    summary: str,
    inputs: Sequence[Input],
    outputs: Sequence[str],
    imports: Mapping[str, set[str]],
    functions: Sequence[str],
    lines: Sequence[str],
    vmem_bytes: int,
    wide: bool,
) -> str:
    """The whole source of the network `name`; `imports` are functions by module of `kernels/`."""
    width = [WIDE] if wide else []
    body = "\n".join([*width, *_definition(name, inputs, outputs, vmem_bytes), *lines])
    head = [f"The network{which(name)} in JAX, its heavy operators as Pallas kernels for a TPU.", ""]
    head += [*textwrap.wrap(summary, WIDTH), ""]
    taken = [f"from {KERNELS}.{module} import {', '.join(sorted(imports[module]))}" for module in sorted(imports)]
    return module_text(
        "\n".join(head), inputs, outputs, [weights_text(WEIGHTS, wide), *functions, body], [INTERPRET], taken
    )


def _definition(name: str, inputs: Sequence[Input], outputs: Sequence[str], vmem_bytes: int) -> list[str]:
    result = "Array" if len(outputs) == 1 else "tuple[Array, ...]"
    given = ["w: dict[str, Array]", *(f"{i.variable}: Array" for i in inputs), "interpret: object = INTERPRET"]
    shapes = ", ".join(f"{i.variable} {i.shown}" for i in inputs)
    return [
        '@partial(jax.jit, static_argnames=["interpret"])',
        *lay_out(Brackets(f"def {name}(", tuple(given), f") -> {result}:"), indent=0),
        f'    """Apply the network to {shapes}."""',
        f'    tpu = {{"vmem_bytes": {vmem_bytes:_}, "interpret": interpret}}',
    ]
