"""What goes to the interpreting process and back arrives as it was sent."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from dovetail.backends.triton.messages import Named, read, write


def sent(value: Any) -> Any:
    stream = io.BytesIO()
    write(value, stream)
    stream.seek(0)
    return read(stream)


@pytest.mark.parametrize(
    "value", [None, True, 3, -0.5, float("inf"), "text", (1, [2, (3,)], {"a": None}), Named("m", "f", Path("x")), ()]
)
def test_plain_values(value: Any) -> None:
    assert sent(value) == value
    assert type(sent(value)) is type(value)


@pytest.mark.parametrize("kind", ["float32", "int8", "bool", "uint32", ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn])
def test_arrays(kind: Any) -> None:
    array = np.arange(6).reshape(2, 3).astype(kind)
    for given in (array, array.T, array[:, ::2], array[:0]):
        found = sent({"x": given})["x"]
        assert (found.dtype, found.shape) == (given.dtype, given.shape)
        assert found.tobytes() == given.tobytes()
        assert found.flags.writeable


def test_an_array_sent_twice_is_one_array() -> None:
    array = np.zeros(3)
    first, second = sent((array, [array]))
    assert first is second[0]


def test_what_runs_is_not_sent() -> None:
    with pytest.raises(TypeError, match="function cannot be sent to another process"):
        write(lambda: None, io.BytesIO())


def test_a_stream_that_ends_early_is_an_end() -> None:
    stream = io.BytesIO()
    write(np.zeros(3), stream)
    with pytest.raises(EOFError):
        read(io.BytesIO(stream.getvalue()[:-1]))
