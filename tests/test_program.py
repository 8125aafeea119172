"""`dovetail.compile`: a network in a file becomes a program that runs here and answers as onnxruntime does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import dovetail
from dovetail import cli

CLASSIFIER = Path(__file__).parents[1] / "examples" / "classifier" / "classifier.onnx"
GPU = "devices: {l4: {model: l4, count: 2, price: {rent: 0.70 USD/h}}}\n"


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(7).standard_normal((1, 3, 32, 32)).astype(np.float32)


@pytest.fixture(params=["this machine", "gpu"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> dovetail.Program:
    if request.param == "this machine":
        return dovetail.compile(CLASSIFIER)
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(GPU)
    return dovetail.compile(CLASSIFIER, fleet=fleet)


def test_it_answers_as_onnxruntime_does(program: dovetail.Program, pictures: np.ndarray) -> None:
    """On a GPU of the fleet the network is lowered first: batch norms folded, chains fused."""
    session = onnxruntime.InferenceSession(CLASSIFIER)
    (expected,) = session.run(None, {session.get_inputs()[0].name: pictures})
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


@pytest.mark.parametrize("model", [lambda x: x, "model.h5", 3])
def test_what_cannot_be_compiled_is_refused(model: object) -> None:
    with pytest.raises(dovetail.InputError, match=r"is neither an \.onnx file nor a config"):
        dovetail.compile(model)  # type: ignore[arg-type]


def test_the_command_writes_what_runs(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "out"
    assert cli.main(["compile", str(CLASSIFIER), "-o", str(out)]) == 0
    assert (out / "plan.json").is_file()
    assert (out / "jax" / "network" / "network.py").is_file()
    assert cli.main(["run", str(out)]) == 0
    assert "network: 1 request with jax on" in capsys.readouterr().out
