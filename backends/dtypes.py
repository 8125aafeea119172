"""Element types that emitted code can hold."""

from __future__ import annotations

from xdsl.dialects.builtin import f16, f32

from ..ir.diagnostics import Diagnostic, InputError
from ..ir.nn import Tensor

_DTYPES = {f32: "float32", f16: "float16"}


def dtype_of(type: Tensor) -> str:
    """The numpy name of the element type; InputError for one that is neither float32 nor float16."""
    name = _DTYPES.get(type.element_type)
    if name is None:
        raise InputError(
            [Diagnostic("element-type", f"code is emitted for f32 and f16 tensors, not for {type.element_type}")]
        )
    return name
