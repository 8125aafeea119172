"""Rows of serving points: what they ask for, what is refused, and how far the answers are from measurements."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dovetail.costmodel.calibration.serving import predict, read_points
from dovetail.costmodel.serving import Parallel, fits
from dovetail.costmodel.serving.estimate import predict as predict_rows
from dovetail.costmodel.serving.table import Answer, answer, read_question

ROW = {
    "backend": "trtllm",
    "model_path": "meta-llama/Llama-3.1-70B",
    "system": "h200_sxm",
    "precision": "fp8",
    "mode": "agg",
    "isl": "1024",
    "osl": "512",
    "batch_size": "16",
    "tp_size": "4",
    "pp_size": "1",
}
MIXTURE = {**ROW, "model_path": "openai/gpt-oss-120b", "precision": "fp4"}


def test_a_row_asks_for_a_replica_and_a_load() -> None:
    question = read_question(ROW)
    replica = question.replica
    assert (replica.llm.id, replica.device.id, replica.parallel) == ("llama-3.1-70b", "h200-sxm", Parallel(tp=4))
    assert (replica.precision, replica.kv_precision, replica.engine.id) == ("fp8", "fp8", "trtllm")
    assert (question.prompt, question.output, question.concurrency) == (1024, 512, 16)


def test_a_blank_precision_is_the_checkpoints_own() -> None:
    assert read_question({**ROW, "precision": ""}).replica.precision == "bf16"
    # Weights are not stored wider than they were published.
    assert read_question({**MIXTURE, "precision": "fp8"}).replica.precision == "fp4"


def test_concurrency_is_that_of_one_attention_group() -> None:
    spread = {**MIXTURE, "tp_size": "1", "attention_dp_size": "4", "moe_tp_size": "1", "moe_ep_size": "4"}
    question = read_question(spread)
    assert question.replica.parallel == Parallel(dp=4, ep=4)
    assert question.concurrency == 64


def test_degrees_that_square_mean_attention_groups_and_spread_experts() -> None:
    squared = {**MIXTURE, "tp_size": "16", "attention_dp_size": "1", "moe_tp_size": "4", "moe_ep_size": "4"}
    assert read_question(squared).replica.parallel == Parallel(dp=4, ep=4)


def test_prefill_apart() -> None:
    row = {
        **ROW,
        "mode": "disagg",
        "prefill_tp_size": "2",
        "prefill_num_workers": "3",
        "prefill_batch_size": "1",
        "decode_tp_size": "8",
        "decode_num_workers": "2",
        "decode_batch_size": "64",
    }
    question = read_question(row)
    assert question.prefill is not None
    assert question.prefill.replica.parallel == Parallel(tp=2)
    assert (question.prefill.replicas, question.replicas, question.concurrency) == (3, 2, 64)
    apart, together = answer([question, read_question({**ROW, "tp_size": "8", "batch_size": "64"})])
    assert isinstance(apart, Answer)
    assert isinstance(together, Answer)
    assert apart.tpot_s < together.tpot_s  # no prefill stops its decode
    assert apart.fits


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        ("model_path", "acme/none", "`model_path` names `acme/none`, no language model of the catalogue"),
        ("system", "h900", "`system` names `h900`, no device of the catalogue"),
        ("precision", "fp3", "`precision` is `fp3`, none of float32"),
        ("isl", "many", "`isl` is `many`, no number"),
        ("isl", "nan", "`isl` is `nan`, not above 0"),
        ("batch_size", "-4", "`batch_size` is `-4`, not above 0"),
        ("tp_size", "1.5", "`tp_size` is `1.5`, no whole number"),
        ("osl", "", "`osl` is ``, no number"),
        ("tp_size", "1e400", "`tp_size` is `1e400`, no whole number up to 1000000"),
        ("pp_size", "nan", "`pp_size` is `nan`, no whole number"),
        ("isl", "1e308", "`isl` is `1e308`, not above 0 and up to 9007199254740992"),
        ("mode", "static", "`mode` is `static`, neither agg nor disagg"),
    ],
)
def test_rows_that_cannot_be_answered_name_their_column(column: str, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_question({**ROW, column: text})


def test_spaces_and_capitals_are_no_faults() -> None:
    spaced = {"system": " H200_SXM ", "precision": "FP8", "backend": " TRTLLM", "mode": "AGG", "isl": " 1024 "}
    assert read_question({**ROW, **spaced}) == read_question(ROW)


def test_copies_of_a_model_without_experts_share_no_load() -> None:
    assert read_question({**ROW, "attention_dp_size": "4"}) == read_question(ROW)


def test_what_cannot_be_priced_says_why_and_the_others_go_on() -> None:
    small = {**ROW, "model_path": "Qwen/Qwen3-0.6B", "batch_size": "1", "tp_size": "1"}
    alone, linked, other = predict_rows([small, {**small, "tp_size": "2", "system": "m4-max"}, small])
    assert linked.error == "`m4-max` has no link to other devices"
    assert alone == other
    assert alone.tpot_ms is not None


def test_experts_must_divide() -> None:
    with pytest.raises(ValueError, match="`moe_ep_size` is 3, which does not divide 4 devices"):
        read_question({**MIXTURE, "moe_ep_size": "3"})


def test_points_never_fitted_are_met(data_folder: Path) -> None:
    points = read_points(data_folder / "silicon" / "serving_develop.csv")
    ttft, tpot = predict(points, {})
    off = np.abs(tpot / points.tpot_s - 1)
    dense = np.array([not any(g.network.experts for g in q.replica.llm.groups) for q in points.questions])
    assert off[dense].mean() <= 0.12
    assert off[~dense].mean() <= 0.16
    assert np.abs(ttft / points.ttft_s - 1).mean() <= 0.30
    assert all(fits(question.replica, question.prompt + question.output) for question in points.questions)
