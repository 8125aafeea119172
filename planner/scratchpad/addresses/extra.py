"""The compiled parts come with an extra; without it, one clear line."""

from __future__ import annotations

import importlib
from typing import Any

from ....ir.diagnostics import Diagnostic, InputError


def load_cp_model() -> Any:
    """`ortools.sat.python.cp_model`; InputError if it is not installed."""
    return load("ortools.sat.python.cp_model")


def load(module: str) -> Any:
    """A module of the extra `scratchpad`; InputError if it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        line = "placing tensors at addresses needs the extra `dovetail[scratchpad]`"
        raise InputError([Diagnostic("scratchpad", line, help="pip install 'dovetail[scratchpad]'")]) from error
