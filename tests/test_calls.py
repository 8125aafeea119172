"""A compiled JAX function is called as the function is: arguments by place or name, trees in, the same trees out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

import dovetail
from dovetail.ir.npz import read_npz, write_npz
from dovetail.ir.read.jaxpr import read_jax

X = np.arange(6, dtype=np.float32).reshape(2, 3)
W = np.full((3, 2), 0.5, np.float32)
PARAMS = {"w": W, "b": [np.ones(2, np.float32), None]}
FLEET = """
devices:
  gpu: {model: h100-sxm, count: 1, price: {rent: 2 USD/h}}
  npu: {kind: npu, memory: 1 GB, bandwidth: 9 GB/s, flops: {fp32: 5 TFLOP/s}, scratchpad: 32 KiB, price: {rent: 1USD/h}}
  tpu: {model: tpu-v5e, count: 1, price: {rent: 2 USD/h}}
  cpu: {kind: cpu, memory: 8 GB, bandwidth: 20 GB/s, flops: {fp32: 0.1 TFLOP/s}, price: {rent: 0.1 USD/h}}
"""  # fmt: skip


class Moments(NamedTuple):
    mean: Any
    most: Any


def layer(params: Any, x: Any, *rest: Any, scale: float = 2.0) -> Any:
    y = x @ params["w"] + params["b"][0]
    return {"logits": y * scale, "cache": (y + 1, [Moments(y.mean(), y.max())], None)}


def same(found: Any, expected: Any) -> None:
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for array, wanted in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(array, wanted, rtol=1e-6)


RETURNED: dict[str, Callable[[Any], Any]] = {
    "an array": lambda x: x + 1,
    "a tuple of one": lambda x: (x + 1,),
    "a list": lambda x: [x + 1, x],
    "a dict": lambda x: {"sum": x.sum(), "as it is": x},
    "trees": lambda x: layer(PARAMS, x),
}


@pytest.mark.parametrize("name", RETURNED)
def test_a_program_gives_what_the_function_gives(name: str) -> None:
    program = dovetail.compile(RETURNED[name], example_inputs=(X,))
    same(program(X), RETURNED[name](X))


def test_arguments_are_trees_by_place_or_by_name() -> None:
    program = dovetail.compile(layer, example_inputs=(PARAMS, X))
    expected = layer(PARAMS, X)
    same(program(PARAMS, X), expected)
    same(program(x=X.tolist(), params=PARAMS), expected)
    same(program(**{"params.w": W, "params.b.0": PARAMS["b"][0], "x": X}), expected)
    for given in ((PARAMS, X), ({"params": PARAMS, "x": X},)):
        assert program.verify(*given)["holds"]
    alone = dovetail.compile(lambda params: params["params"] + 1, example_inputs=({"params": X},))
    assert alone.verify({"params": X})["inputs"] == alone.verify({"params.params": X})["inputs"] == "given"


@pytest.mark.parametrize(
    ("args", "named", "said"),
    [
        ((PARAMS, X, X), {}, "`layer` takes 2 arguments, not 3"),
        ((PARAMS,), {}, "needs its input `x`"),
        ((PARAMS, X), {"x": X}, "input `x` is given twice"),
        ((PARAMS,), {"x": X, "params.w": W}, "input `params.w` is given twice"),
        ((PARAMS,), {"y": X}, "has no input `y`"),
        ((PARAMS, X), {"scale": 3.0}, "`layer` was traced with the default of its argument `scale`"),
        (({"w": W}, X), {}, "argument `params` of `layer` is not like its example"),
        ((X, X), {}, "argument `params` of `layer` is not like its example"),
        ((PARAMS, [[1.0], [2.0, 3.0]]), {}, "input `x` is no array"),
        ((PARAMS, "x"), {}, "input `x` is no array of numbers, but a str"),
    ],
)
def test_calls_unlike_the_example_are_refused(args: tuple, named: dict[str, Any], said: str) -> None:
    program = dovetail.compile(layer, example_inputs=(PARAMS, X))
    with pytest.raises(dovetail.InputError, match=said):
        program(*args, **named)


class Model:
    def __call__(self, image: Any, mask: Any) -> Any:
        return image * mask


NAMED: dict[str, tuple[Callable[..., Any], tuple[Any, ...], tuple[str, ...]]] = {
    "arguments": (lambda image, mask: image * mask, (X, X), ("image", "mask")),
    "trees": (layer, (PARAMS, X), ("params.b.0", "params.w", "x")),
    "some are bound": (partial(layer, PARAMS, scale=3.0), (X,), ("x",)),
    "jitted": (jax.jit(lambda a, b: a + b), (X, X), ("a", "b")),
    "an object": (Model(), (X, X), ("image", "mask")),
    "any number": (lambda *args: args[0] + args[1], (X, X), ("x0", "x1")),
    "a name and any number": (lambda x1, *rest: x1 + rest[0], (X, X), ("x1", "x1_2")),
    "keys that look alike": (lambda p: p["a.b"] + p["a"]["b"], ({"a.b": X, "a": {"b": X}},), ("p.a.b", "p.a.b_2")),
    "keys of any kind": (lambda p: p["é"] - p['a "b"\n'], ({"é": X, 'a "b"\n': X},), ('p.a "b"\n', "p.é")),
}


@pytest.mark.parametrize("name", NAMED)
def test_inputs_are_called_as_the_arguments_are(name: str) -> None:
    function, inputs, names = NAMED[name]
    assert read_jax(function, inputs).input_names == names
    program = dovetail.compile(function, example_inputs=inputs)
    same(program(*inputs), function(*inputs))


def test_the_file_of_a_function_may_lie_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "Ähre" / "jax"
    folder.mkdir(parents=True)
    (folder / "somewhere.py").write_text("def double(x):\n    return x + x * x\n")
    monkeypatch.syspath_prepend(folder)
    program = dovetail.compile(import_module("somewhere").double, example_inputs=(X,))
    same(program(X), X + X * X)
    places = {each["place"] for each in program.verify(X)["pieces"][0]["along"]}
    assert places == {f"{folder}/somewhere.py:2:1"}


def fails(x: Any) -> Any:
    return x @ x


FAILS_AT = fails.__code__.co_firstlineno + 1


@pytest.mark.parametrize(
    ("function", "inputs", "way_out"),
    [
        (jax.jit(fails), (X,), f"it stands in {__file__}:{FAILS_AT}"),
        (layer, (PARAMS,), "give an example of each argument, in order"),
        (jax.jit(lambda x, n: x * n, static_argnums=1), (X, 3), "close over what is no array"),
    ],
)
def test_what_jax_cannot_trace_has_a_place_or_a_way_out(function: Any, inputs: Any, way_out: str) -> None:
    with pytest.raises(dovetail.InputError, match=r"JAX cannot trace") as raised:
        dovetail.compile(function, example_inputs=inputs)
    assert way_out in str(raised.value)


def test_outputs_are_called_by_their_way_in_the_tree() -> None:
    names = read_jax(layer, (PARAMS, X)).output_names
    assert names == ("cache.0", "cache.1.0.mean", "cache.1.0.most", "logits")
    assert read_jax(lambda x: (x, {"k": x}), (X,)).output_names == ("y0", "y1.k")
    assert read_jax(lambda x: [x], (X,)).output_names == ("y",)


def strange(self, w, np, jnp, jax, network, matmul, empty, npu, load_weights, INPUTS, len, p0):
    """Its arguments are called as modules, functions, values and tables of emitted code are."""
    y = abs(self["class"] @ w) * np + jnp - jax * network[0] + matmul @ empty
    return y + npu * load_weights / INPUTS + len + p0[0]


@pytest.mark.parametrize("way", ["cpu", "gpu", "tpu", "npu", "split"])
def test_arguments_may_be_called_as_things_in_emitted_code(way: str, tmp_path: Path) -> None:
    if way in ("gpu", "split") and find_spec("triton") is None:
        pytest.skip("needs the extra dovetail[triton]")
    square = np.linspace(0.5, 1, 16, dtype=np.float32).reshape(4, 4)
    inputs = [
        {"class": square},
        *(square + i for i in range(4)),
        (square,),
        *(square / i for i in range(1, 7)),
        (square,),
    ]
    (tmp_path / "fleet.yaml").write_text(FLEET)
    network = read_jax(strange, inputs)
    assert {"self.class", "network.0", "p0.0"} <= set(network.input_names)
    count = 13
    devices = [("gpu", "npu", "cpu")[i * 3 // count] for i in range(count)] if way == "split" else [way] * count
    program = dovetail.compile(strange, tmp_path / "fleet.yaml", inputs, placement=devices)
    expected = strange(*inputs)
    np.testing.assert_allclose(program(*inputs), expected, rtol=1e-5)
    program.save(tmp_path / "out")
    write_npz(tmp_path / "x.npz", dict(zip(network.input_names, jax.tree.leaves(inputs), strict=True)))
    command = [sys.executable, "run.py", "--inputs", str(tmp_path / "x.npz"), "--outputs", str(tmp_path / "y.npz")]
    done = subprocess.run(command, cwd=tmp_path / "out", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (found,) = read_npz(tmp_path / "y.npz").values()
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_function_in_a_process_of_its_own_keeps_its_trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "theirs.py").write_text(
        "import numpy as np\n"
        "from collections import namedtuple\n"
        "Pair = namedtuple('Pair', 'a b')\n"
        "X = np.ones((2, 3), np.float32)\n"
        "def trees():\n    return lambda p, x: {'out': (p['w'] * x,)}, ({'w': X}, X)\n"
        "def own():\n    return lambda x: Pair(x, -x), (X,)\n"
    )
    monkeypatch.chdir(tmp_path)
    trees = dovetail.compile("theirs:trees", allow_python=["theirs:trees"])
    same(trees({"w": X}, X), {"out": (X * X,)})
    own = dovetail.compile("theirs:own", allow_python=["theirs:own"])
    assert own.signature is None
    same(own(X), (X, -X))
    assert tuple(own.network.outputs) == ("a", "b")
