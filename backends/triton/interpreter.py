"""A process in which Triton interprets, kept for many calls: starting one takes longer than a small kernel."""

from __future__ import annotations

import os
import subprocess
import sys
import weakref
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Self

import numpy as np

from ...ir.diagnostics import Diagnostic, InputError
from .messages import Named, read, write


class Interpreter:
    """
    Calls functions on numpy arrays in a process with `TRITON_INTERPRET=1`; a context manager.

        with Interpreter() as interpreter:
            (out,) = interpreter.call(library("matmul"), {"a": a, "b": b, "out": out}, ["out"], block_m=32, ...)
    """

    def __init__(self) -> None:
        """The process starts with the first call. InputError without the triton package."""
        if find_spec("triton") is None:
            help = "pip install 'dovetail[triton]' (Linux)"
            raise InputError([Diagnostic("triton", "Triton kernels need the extra `dovetail[triton]`", help=help)])
        self._process: subprocess.Popen[bytes] | None = None

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        command = [sys.executable, "-m", f"{__package__}.interpreter_process"]
        return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def call(
        self, function: Named, tensors: Mapping[str, Any], outputs: Sequence[str], **options: Any
    ) -> tuple[np.ndarray, ...]:
        """
        What `function(**tensors, **options)` leaves in the arrays `outputs`.

        `tensors` has arrays, sequences of arrays, or None; options may be `Named` functions. Raises ValueError with
        the message of what the function raised.
        """
        return self._ask("call", function, dict(tensors), tuple(outputs), options)

    def apply(
        self, function: Named, weights: Mapping[str, np.ndarray], inputs: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, ...]:
        """What the function of an emitted network returns for `inputs`; ValueError as for `call`."""
        return self._ask("apply", function, dict(weights), list(inputs))

    def _ask(self, verb: str, *arguments: Any) -> tuple[np.ndarray, ...]:
        if self._process is None:
            self._process = self._start()
            weakref.finalize(self, _end, self._process)
        assert self._process.stdin
        assert self._process.stdout
        write((verb, arguments), self._process.stdin)
        found, fault = read(self._process.stdout)
        if fault:
            raise ValueError(fault)
        return found

    def close(self) -> None:
        """End the process; another call starts one anew."""
        if self._process is not None:
            _end(self._process)
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.wait()


def library(name: str, module: str | None = None) -> Named:
    """The wrapper `name` of the kernel library, in the file of that name unless `module` says which."""
    return Named(f"{__package__}.kernels.{module or name}", name)
