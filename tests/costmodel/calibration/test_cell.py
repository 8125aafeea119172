"""Engines fitted to few serving points of one model on one device."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dovetail.costmodel.calibration.cell import CellRows, fit_cell
from dovetail.costmodel.serving.table import read_question


def points(count: int, seed: int = 0) -> CellRows:
    """Serving points of random load, with the times that the model itself predicts."""
    rng, questions = np.random.default_rng(seed), []
    for _ in range(count):
        prompt, output, batch, tp = 2 ** rng.integers((8, 6, 0, 0), (13, 11, 7, 3))
        row = {"model_path": "llama-3.1-8b", "system": "h100-sxm", "backend": "vllm", "isl": prompt, "osl": output}
        questions.append(read_question({k: str(v) for k, v in {**row, "batch_size": batch, "tp_size": tp}.items()}))
    rows = CellRows(tuple(questions), np.ones(count), np.ones(count))
    said = rows.predict_s(rows.start())
    return replace(rows, tpot_s=said[:, 0], ttft_s=said[:, 1])


def errors(rows: CellRows, values: dict[str, float]) -> np.ndarray:
    measured = np.column_stack([rows.tpot_s, rows.ttft_s])
    return np.median(np.abs(rows.predict_s(values) / measured - 1), axis=0)


@pytest.mark.parametrize("seed", range(3))
def test_a_slower_engine_with_longer_steps_is_found(seed: int) -> None:
    ten, rest = points(10, seed), points(100, 99)
    truth = {**ten.start(), "step_scale": 1.3, "prefill_scale": 1.4, "step_s": 4 * ten.start()["step_s"]}
    ten, rest = (replace(r, tpot_s=p[:, 0], ttft_s=p[:, 1]) for r in (ten, rest) for p in [r.predict_s(truth)])
    assert errors(rest, rest.start()).min() > 0.15
    assert errors(rest, fit_cell(ten)).max() < 0.1


def test_points_as_predicted_move_nothing() -> None:
    rows = points(10)
    assert fit_cell(rows) == pytest.approx(rows.start(), rel=1e-3)


def test_the_time_to_first_token_may_be_missing() -> None:
    rows = points(10)
    found = fit_cell(replace(rows, tpot_s=1.2 * rows.tpot_s, ttft_s=np.full(10, np.nan)))
    assert found["step_scale"] > 1.1
    assert found["request_s"] == pytest.approx(rows.start()["request_s"])
