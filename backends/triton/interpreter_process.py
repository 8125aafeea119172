"""The process of `interpreter.Interpreter`: reads calls from stdin and writes what they leave to stdout."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np

from ..dtypes import numpy_dtype
from .interpret import HostTensor, round_as_gpus_do
from .messages import Named, read, write


def main() -> None:
    """Answer calls until stdin ends. What kernels print goes to stderr."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    # Kernels divide by zero and overflow as they would on a GPU, which says nothing about it.
    np.seterr(all="ignore")
    _skip_discarded_checks()
    round_as_gpus_do()
    while True:
        try:
            verb, arguments = read(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = ((_call if verb == "call" else _apply)(*arguments), None)
        except Exception as error:
            answer = ((), f"{type(error).__name__}: {error}")
        write(answer, answers)


def _skip_discarded_checks() -> None:
    """
    Do not compute whether each sum and product of integers fits: Triton asserts it in debug mode only.

    Half of the interpreter's time goes there. Integers wrap around either way, as they do on a GPU.
    """
    from triton.runtime.interpreter import interpreter_builder

    interpreter_builder.options = replace(interpreter_builder.options, sanitize_overflow=False)


def _call(function: Named, tensors: dict[str, Any], outputs: tuple[str, ...], options: dict[str, Any]) -> Any:
    hosted = {name: _host(value) for name, value in tensors.items()}
    _find(function)(**hosted, **{name: _option(value) for name, value in options.items()})
    return tuple(tensors[name] for name in outputs)


def _apply(function: Named, weights: dict[str, np.ndarray], inputs: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Buffers are not-a-number throughout, so that an element that no kernel writes shows."""

    def empty(shape: tuple[int, ...], dtype: str) -> HostTensor:
        kind = numpy_dtype(dtype)
        return HostTensor(np.full(shape, np.nan if kind.kind in "fV" else 0, kind))

    hosted = {name: HostTensor(np.asarray(array, order="C")) for name, array in weights.items()}
    given = [HostTensor(np.asarray(array, order="C")) for array in inputs]
    results = _find(function)(hosted, empty, *given)
    return tuple(np.array(result.array) for result in results)


def _host(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return HostTensor(value)
    return tuple(_host(v) for v in value) if isinstance(value, list | tuple) else value


def _option(value: Any) -> Any:
    return _find(value) if isinstance(value, Named) else value


def _find(named: Named) -> Any:
    if named.folder is not None and str(named.folder) not in sys.path:
        sys.path.insert(0, str(named.folder))
        if "kernels" in sys.modules:
            # The library lies beside every program: that of the first one may be gone.
            sys.modules["kernels"].__path__[:] = [str(named.folder / "kernels")]
    return getattr(import_module(named.module), named.function)


if __name__ == "__main__":
    main()
