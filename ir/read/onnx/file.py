"""From a file to a checked ONNX model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...diagnostics import Diagnostic, InputError, Label
from ...source import SourceFile, Span


def load_model(path: str | Path) -> Any:
    """The checked `onnx.ModelProto` at `path`, its local functions inlined; InputError where there is none."""
    span = Span(SourceFile(str(path), ""), 1, 1)
    try:
        import onnx
    except ImportError:
        raise InputError(
            [Diagnostic("onnx", f"reading `{path}` needs the onnx package", help="pip install dovetail[onnx]")]
        ) from None
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except OSError as error:
        raise InputError([Diagnostic("onnx", f"cannot read `{path}`: {error.strerror or error}")]) from None
    except (DecodeError, onnx.checker.ValidationError, ValueError, UnicodeDecodeError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError([Diagnostic("onnx", f"`{path}` is no valid ONNX model: {reason}", (Label(span),))]) from None
    return _inlined(model)


def _inlined(model: Any) -> Any:
    if not model.functions:
        return model
    from onnx.inliner import inline_local_functions

    return inline_local_functions(model)
