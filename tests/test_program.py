"""`dovetail.compile`: a network in a file becomes a program that runs here and answers as onnxruntime does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import dovetail
from dovetail import cli
from dovetail.ir.read.jaxpr import read_jax
from dovetail.ir.read.saved import save_network
from examples.jax_models import bert, parameters

CLASSIFIER = Path(__file__).parents[1] / "examples" / "classifier" / "classifier.onnx"


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(7).standard_normal((1, 3, 32, 32)).astype(np.float32)


def test_it_answers_as_onnxruntime_does(pictures: np.ndarray) -> None:
    session = onnxruntime.InferenceSession(CLASSIFIER)
    (expected,) = session.run(None, {session.get_inputs()[0].name: pictures})
    program = dovetail.compile(CLASSIFIER)
    (found,) = program(pictures)
    np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-4, atol=1e-6)
    assert program.trace == [("network.run", "jax on cpu")]


def test_inputs_go_by_name_too(pictures: np.ndarray) -> None:
    program = dovetail.compile(CLASSIFIER, example_inputs=(pictures,))
    (name,) = program.network.inputs
    np.testing.assert_array_equal(program(**{name: pictures})[0], program(pictures)[0])


def test_a_wrong_shape_is_an_input_error(pictures: np.ndarray) -> None:
    with pytest.raises(dovetail.InputError, match="has the shape"):
        dovetail.compile(CLASSIFIER, example_inputs=(pictures[:, :, :8],))


@pytest.mark.parametrize("model", ["model.h5", 3, None])
def test_what_cannot_be_compiled_is_refused(model: object) -> None:
    with pytest.raises(dovetail.InputError, match=r"is no network: neither an \.onnx, a config\.json"):
        dovetail.compile(model)  # type: ignore[arg-type]


def test_a_graph_is_sent_to_plan() -> None:
    with pytest.raises(dovetail.InputError, match=r"`plan graph\.yaml -o DIR` plans a graph"):
        dovetail.compile("graph.yaml")


@pytest.mark.parametrize("size", [0, -1, 2.5, "2", None])
def test_sizes_are_whole_numbers(size: object) -> None:
    with pytest.raises(
        dovetail.InputError,
        match=r"`sizes` of `dovetail\.compile` must be a mapping of names to whole numbers of 1 or more",
    ):
        dovetail.compile(CLASSIFIER, sizes={"batch": size})  # type: ignore[dict-item]


def test_a_program_is_shown_by_its_ends_and_not_by_its_weights() -> None:
    program = dovetail.compile(CLASSIFIER)
    (x,), (y,) = program.network.inputs, program.network.outputs
    assert repr(program) == f"<Program {x} -> {y}; network.run by jax on cpu>"


def test_what_does_not_fit_is_named_as_it_was_given(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("devices: {tiny: {model: h100-sxm, memory: 1 kB, count: 1}}")
    with pytest.raises(dovetail.Infeasible) as raised:
        dovetail.compile(CLASSIFIER, fleet=fleet)
    assert f"--> {CLASSIFIER}:1:1" in str(raised.value)


def test_a_jax_function_and_its_module_are_compiled(tmp_path: Path) -> None:
    import jax

    p = parameters(bert.shapes(bert.SMALL))
    tokens = np.array([[3, 1, 4, 1, 5]], dtype=np.int32)

    def encode(tokens: jax.Array) -> tuple[jax.Array, jax.Array]:
        return bert.forward(bert.SMALL, p, tokens)

    expected = jax.jit(encode)(tokens)
    for model in (encode, read_jax(encode, (tokens,))):
        program = dovetail.compile(model, example_inputs=(tokens,))
        for found, wanted in zip(program(tokens), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
        program.save(tmp_path / "out", force=True)
        assert (tmp_path / "out" / "plan.json").exists()


def test_a_module_in_a_file_is_compiled(tmp_path: Path) -> None:
    network = read_jax(lambda x: np.float32(2) * x + 1, (np.ones((2, 3), np.float32),))
    save_network(network, tmp_path / "line.mlir")
    (found,) = dovetail.compile(tmp_path / "line.mlir")(np.ones((2, 3), np.float32))
    np.testing.assert_array_equal(found, np.full((2, 3), 3.0))


def test_python_is_run_when_it_is_asked_for_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(
        "import jax.numpy as jnp\ndef net():\n    return lambda x: jnp.tanh(x), (jnp.ones(3),)\n"
    )
    monkeypatch.chdir(tmp_path)
    assert cli.main(["compile", "mine:net", "-o", "out"]) == 1
    assert not (tmp_path / "out").exists()
    assert cli.main(["compile", "mine:net", "-o", "out", "--allow-python", "mine:net"]) == 0
    assert (tmp_path / "out" / "jax").exists()


def test_the_command_writes_what_runs(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "out"
    assert cli.main(["compile", str(CLASSIFIER), "-o", str(out)]) == 0
    assert (out / "plan.json").is_file()
    assert (out / "jax" / "network" / "network.py").is_file()
    assert cli.main(["run", str(out)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("out:\n")
    assert "each of 1 more:" in said
