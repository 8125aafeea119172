"""Predictions for rows of a table of serving points, in the columns of published measurements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..figures import worst
from ..hardware import Device
from ..operators import quality_of_fit
from .table import Answer, Question, Row, answer, read_question

COLUMNS = ("model_path", "isl", "osl")
"""what a table must have; columns of degrees that it lacks count as 1"""


class Prediction(NamedTuple):
    """What is said of one row, or why nothing is."""

    ttft_ms: float | None
    tpot_ms: float | None
    fits: bool | None
    quality: str
    error: str


def predict(rows: Sequence[Row], device: Device | None = None) -> list[Prediction]:
    """Of each row in turn, on `device` where the row names no `system`."""
    asked = [_ask(row, device) for row in rows]
    answers = iter(answer([each for each in asked if isinstance(each, Question)]))
    return [
        _said(each, next(answers)) if isinstance(each, Question) else Prediction(None, None, None, "", each)
        for each in asked
    ]


def _ask(row: Row, device: Device | None) -> Question | str:
    """What the row asks, or what is wrong with it."""
    try:
        return read_question({**row, "system": row.get("system") or (device.id if device else "")})
    except ValueError as error:
        return str(error)


def _said(question: Question, found: Answer | str) -> Prediction:
    """With the marks of the engine's coefficients and of the device's kernels."""
    if isinstance(found, str):
        return Prediction(None, None, None, "", found)
    mark = worst(question.replica.engine.quality, quality_of_fit(question.replica.device))
    return Prediction(found.ttft_s * 1e3, found.tpot_s * 1e3, found.fits, mark, "")
