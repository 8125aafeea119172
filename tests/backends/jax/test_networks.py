"""Whole networks from the onnx package, with seeded weights: emitted JAX source against onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dovetail.backends.jax.program import build_program
from dovetail.ir.read.onnx import read_onnx
from dovetail.ir.weights import onnx_with_weights, reseed_constant_weights

TOLERANCE = 1e-4
INTERMEDIATE = 12
"""how many tensors along the way are compared beside the outputs"""


def _blocks(seed: int) -> np.ndarray:
    """An image of 7 by 7 flat blocks: white noise would average out, and every image of it give nearly the same."""
    coarse = np.random.default_rng(seed).standard_normal((1, 3, 7, 7)).astype(np.float32)
    return coarse.repeat(32, axis=2).repeat(32, axis=3)


def _with_more_outputs(onnx, content: bytes) -> bytes:
    """The model with tensors spread over it as further outputs."""
    model = onnx.shape_inference.infer_shapes(onnx.load_from_string(content))
    known = {value.name: value for value in model.graph.value_info}
    made = [name for node in model.graph.node for name in node.output[:1]]
    ends = {output.name for output in model.graph.output}
    step = len(made) // (INTERMEDIATE + 1)
    for name in made[step::step][:INTERMEDIATE]:
        if name not in ends:
            model.graph.output.append(known[name])
    return model.SerializeToString()


@pytest.mark.parametrize("model", ["shufflenet", pytest.param("densenet121", marks=pytest.mark.slow)])
def test_network_gives_what_onnxruntime_gives(model, tmp_path):
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    light = Path(onnx.__file__).parent / f"backend/test/data/light/light_{model}.onnx"
    weights = reseed_constant_weights(read_onnx(light), seed=11).weights
    path = tmp_path / f"{model}.onnx"
    path.write_bytes(_with_more_outputs(onnx, onnx_with_weights(light, weights)))
    network = read_onnx(path)
    program = build_program(network, model)
    (name,) = network.input_names
    session = onnxruntime.InferenceSession(path)
    scores = []
    for seed in (1, 2):
        image = _blocks(seed)
        found, expected = program(image), session.run(None, {name: image})
        assert len(found) >= 1 + INTERMEDIATE
        for output, got, want in zip(network.output_names, found, expected, strict=True):
            scale = float(np.abs(want).max())
            np.testing.assert_allclose(got, want, rtol=TOLERANCE, atol=TOLERANCE * scale, err_msg=output)
        scores.append(found[0])
    # The comparison above can only find faults that it can tell apart from what any input gives.
    differs = float(np.abs(scores[0] - scores[1]).max()) / float(np.abs(scores[0]).max())
    assert differs > 100 * TOLERANCE
