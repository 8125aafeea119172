"""Networks on NPUs of a fleet: as scratchpad programs where they fit, else in JAX."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dovetail

CLASSIFIER = Path(__file__).parents[3] / "examples" / "classifier" / "classifier.onnx"
FLEET = (
    "devices: {npu: {kind: npu, memory: 16 GB, bandwidth: 819 GB/s, flops: {fp32: 50 TFLOP/s}, scratchpad: SIZE,"
    " price: {rent: 1.20 USD/h}}}\n"
)


@pytest.mark.parametrize(
    ("size", "trace"), [("512 KiB", "scratchpad machine of 524288 bytes"), ("64 KiB", "jax on cpu")]
)
def test_a_network_on_an_npu_runs_on_its_scratchpad_where_it_fits(size: str, trace: str, tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(FLEET.replace("SIZE", size))
    program = dovetail.compile(CLASSIFIER, fleet=fleet)
    ((piece, executor),) = program.trace
    assert piece == "network.run"
    assert executor.startswith(trace)
    assert bool(program.network.notes) == ("not on `npu`, since " in executor) == (trace == "jax on cpu")
    picture = np.random.default_rng(7).standard_normal((1, 3, 32, 32)).astype(np.float32)
    (found,), (expected,) = program(picture), dovetail.compile(CLASSIFIER)(picture)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    folder = program.save(tmp_path / "out") / "scratchpad" / "network"
    assert folder.exists() == trace.startswith("scratchpad")
