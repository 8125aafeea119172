"""The process that imports and traces a user's function: `python -m dovetail.ir.read.jaxpr module:function DIR`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from ...diagnostics import Diagnostic, InputError
from ..python_function import FAULTS, NETWORK, SIGNATURE
from ..saved import save_network
from .read import trace


def main(source: str, folder: Path) -> None:
    """Write the network to `folder`, or what is wrong with it."""
    module, _, name = source.partition(":")
    sys.path.insert(0, ".")
    made = getattr(import_module(module), name)()
    if not (isinstance(made, tuple) and len(made) == 2 and callable(made[0])):
        message = f"`{source}` must return (function, example inputs), it returns {made!r:.80}"
        _tell([Diagnostic("python", message)], folder)
        return
    function, inputs = made
    try:
        traced = trace(function, tuple(inputs) if isinstance(inputs, list | tuple) else (inputs,))
    except InputError as error:
        _tell(error.diagnostics, folder)
        return
    save_network(traced.network, folder / NETWORK)
    (folder / SIGNATURE).write_text(json.dumps(traced.signature.document()))


def _tell(faults: Sequence[Diagnostic], folder: Path) -> None:
    """Write what is wrong; those of a function that JAX traces have no places but in their help."""
    (folder / FAULTS).write_text(json.dumps([[each.message, each.help] for each in faults]))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
