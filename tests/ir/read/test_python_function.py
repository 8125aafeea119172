"""A user's Python runs when asked for by name, in a process of its own, and hands back plain data."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from dovetail.ir.diagnostics import InputError
from dovetail.ir.interpret import interpret
from dovetail.ir.read.python_function import is_python_function, read_python_function

SOURCE = """
import jax.numpy as jnp
W = jnp.arange(12.0).reshape(3, 4)
def network():
    return lambda x: jnp.tanh(x @ W), (jnp.ones((2, 3)),)
def half():
    return lambda x: x @ W.astype(jnp.bfloat16), (jnp.ones((2, 3), jnp.bfloat16),)
def unreadable():
    return lambda x: jnp.linalg.cholesky(x) + jnp.fft.fft(x).real, (jnp.ones((3, 3)),)
def nothing():
    return 7
def failing():
    raise KeyError("weights")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "theirs.py").write_text(SOURCE)
    return tmp_path


def test_a_function_that_is_allowed_is_read(folder: Path) -> None:
    network, _ = read_python_function("theirs:network", {"theirs:network"}, folder)
    network.module.verify()
    x = np.random.default_rng(0).normal(size=(2, 3))
    (y,) = interpret(network.module, [x], network.weights)
    np.testing.assert_allclose(y, np.tanh(x @ np.arange(12.0).reshape(3, 4)), rtol=1e-6)
    assert "theirs" not in sys.modules


def test_weights_of_types_that_numpy_lacks_come_back_with_their_values(folder: Path) -> None:
    network, _ = read_python_function("theirs:half", {"theirs:half"}, folder)
    (y,) = interpret(network.module, [np.ones((2, 3))], network.weights)
    np.testing.assert_allclose(y[0], np.arange(12.0).reshape(3, 4).sum(0))


@pytest.mark.parametrize(
    ("source", "allowed", "said"),
    [
        ("theirs:network", (), "not run unless it is asked for by name"),
        ("theirs:network", ("theirs:half",), "not run unless it is asked for by name"),
        ("theirs:nothing", ("theirs:nothing",), r"must return \(function, example inputs\), it returns 7"),
        ("theirs:failing", ("theirs:failing",), "failed: KeyError: 'weights'"),
        ("theirs:absent", ("theirs:absent",), "failed: AttributeError"),
        ("no_such:f", ("no_such:f",), "failed: ModuleNotFoundError"),
        (
            "theirs:unreadable",
            ("theirs:unreadable",),
            r"`cholesky` in (.|\n)*it stands in .*theirs\.py:9(.|\n)*`fft` in",
        ),
    ],
)
def test_what_goes_wrong_is_told(folder: Path, source: str, allowed: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_python_function(source, allowed, folder)


@pytest.mark.parametrize("text", ["net.onnx", "a/b.py:f", "a:b:c", "a b:c", "c:", "C:\\x", "module:function()"])
def test_other_text_is_no_function(text: str) -> None:
    assert not is_python_function(text)
