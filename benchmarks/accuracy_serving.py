"""The serving section of docs/accuracy.md: time to first token and between tokens against measured servers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from dovetail.costmodel.calibration.serving import Points, fit, predict, read_points
from dovetail.costmodel.hardware import find_device
from dovetail.costmodel.models import LLM, find_model
from dovetail.costmodel.serving import Parallel, Replica, find_engine, fits, serve
from dovetail.costmodel.serving.table import Question

BOUNDS_MS = (20, 30, 50)
IMPOSSIBLE = (
    ("llama-3.1-70b", "bf16", "h100-sxm", (1, 1)),
    ("llama-3.1-70b", "bf16", "a100-sxm", (1, 1)),
    ("llama-3.1-70b", "bf16", "l40s", (2, 1)),
    ("llama-3.1-70b", "fp8", "l40s", (1, 1)),
    ("llama-3.1-405b", "bf16", "h100-sxm", (8, 1)),
    ("llama-3.1-405b", "bf16", "a100-sxm", (8, 1)),
    ("llama-3.1-405b", "fp8", "h100-sxm", (4, 1)),
    ("llama-3.1-405b", "fp8", "h200-sxm", (2, 1)),
    ("llama-3.1-405b", "fp4", "b200-sxm", (1, 1)),
    ("qwen3-32b", "bf16", "l40s", (1, 1)),
    ("qwen3-32b", "bf16", "a40", (1, 1)),
    ("qwen3-32b", "fp8", "l4", (1, 1)),
    ("qwen3-235b-a22b", "bf16", "h100-sxm", (4, 1)),
    ("qwen3-235b-a22b", "fp8", "h100-sxm", (2, 1)),
    ("qwen3-235b-a22b", "bf16", "h200-sxm", (2, 1)),
    ("deepseek-v3", "fp8", "h100-sxm", (8, 1)),
    ("deepseek-v3", "fp8", "h200-sxm", (4, 1)),
    ("kimi-k2", "fp8", "h200-sxm", (4, 1)),
    ("mixtral-8x22b", "bf16", "h100-sxm", (2, 1)),
    ("gpt-oss-120b", "fp4", "l40s", (1, 1)),
    ("qwen3-32b", "fp8", "h100-sxm", (3, 1)),
    ("llama-3.1-8b", "bf16", "h100-sxm", (1, 3)),
)
"""Weights alone take more than there is, or heads and layers do not divide: (tp, pp)"""


def section(data: Path) -> str:
    """The section's text, which is printed too."""
    calibrate, develop = (read_points(data / "silicon" / f"serving_{name}.csv") for name in ("calibrate", "develop"))
    fitted = fit(calibrate)
    parts = [
        _intro(fitted),
        "### Points fitted on\n\n" + _by_cell(calibrate, fitted),
        "### Points never fitted\n\n" + _by_cell(develop, fitted),
        "### Left out of the fit\n\n" + _left_out(calibrate),
        "### Choosing by it\n\n" + _choices(develop, fitted),
        "### Memory and speed\n\n" + _memory(calibrate, develop) + "\n" + _speed(),
    ]
    text = "\n\n".join(parts)
    print(text)
    return text


def _intro(fitted: dict[str, float]) -> str:
    return (
        f"{len(fitted)} coefficients shared by all engines, models and devices are fitted to the calibration points (a "
        "robust fit:\npoints that no other agrees with count little, and are in the means below all the same). The "
        "naive roofline\ntakes the data sheet's bandwidth and FLOP/s, and no overhead."
    )


def _by_cell(points: Points, fitted: dict[str, float]) -> str:
    ttft, tpot = predict(points, fitted)
    naive = np.array([_naive_tpot_s(question) for question in points.questions])
    lines = [
        "| model, device, engine, precision | points | TPOT mean | median | bias | naive mean | TTFT mean | median |",
        "|---|---|---|---|---|---|---|---|",
    ]
    dense = np.array([not any(g.network.experts for g in q.replica.llm.groups) for q in points.questions])
    few = np.array([question.concurrency <= 8 for question in points.questions])
    cells = [(cell, points.cells == cell) for cell in dict.fromkeys(points.cells.tolist())]
    cells += [("all dense", dense), ("all mixtures", ~dense), ("dense, concurrency <= 8", dense & few)]
    for name, rows in [*cells, ("all", np.ones(len(dense), bool))]:
        if rows.any():
            off, first = tpot[rows] / points.tpot_s[rows] - 1, np.abs(ttft[rows] / points.ttft_s[rows] - 1)
            blunt = np.abs(naive[rows] / points.tpot_s[rows] - 1)
            lines.append(
                f"| {name} | {rows.sum()} | {_percent(np.abs(off).mean())} | {_percent(np.median(np.abs(off)))} | "
                f"{_percent(off.mean())} | {_percent(blunt.mean())} | {_percent(first.mean())} | "
                f"{_percent(np.median(first))} |"
            )
    return "\n".join(lines)


def _naive_tpot_s(question: Question) -> float:
    """All weights and the cache once over the bandwidth, or 2 FLOP a weight and sequence over the peak."""
    replica, batch = question.replica, question.concurrency
    llm, device, devices = replica.llm, replica.device, replica.parallel.devices
    context = question.prompt + question.output / 2
    moved = llm.weight_bytes(replica.precision) + batch * llm.kv_bytes(context, replica.kv_precision)
    flops = 2 * llm.active_parameters * batch
    return max(moved / device.bandwidth_bytes_per_s, flops / device.flops_per_s["bf16"]) / devices


def _left_out(points: Points) -> str:
    lines = ["| left out | points | TPOT mean | median |", "|---|---|---|---|"]
    models = dict.fromkeys(question.replica.llm.id for question in points.questions)
    devices = dict.fromkeys(question.replica.device.id for question in points.questions)
    for name in (*models, *devices):
        out = np.array([name in (q.replica.llm.id, q.replica.device.id) for q in points.questions])
        tpot = predict(points.where(out), fit(points.where(~out)))[1]
        off = np.abs(tpot / points.where(out).tpot_s - 1)
        lines.append(f"| {name} | {out.sum()} | {_percent(off.mean())} | {_percent(np.median(off))} |")
    return "\n".join(lines)


def _settings(points: Points) -> Iterator[np.ndarray]:
    """Rows of one model, device, engine, ISL and OSL, where there are at least five."""
    keys = [(cell, q.prompt, q.output) for cell, q in zip(points.cells.tolist(), points.questions, strict=True)]
    for key in dict.fromkeys(keys):
        rows = np.array([each == key for each in keys])
        if rows.sum() >= 5:
            yield rows


def _choices(points: Points, fitted: dict[str, float]) -> str:
    """Rank correlation, and what the configuration predicted best per device under a bound really does."""
    tpot = predict(points, fitted)[1]
    ranks = [_rank(tpot[rows], points.tpot_s[rows]) for rows in _settings(points)]
    devices = np.array([question.replica.parallel.devices for question in points.questions])
    load = np.array([question.concurrency for question in points.questions])
    lines = [
        f"Spearman's rank correlation of TPOT by (model, device, engine, ISL, OSL): median {np.median(ranks):.3f}, "
        f"least {min(ranks):.3f}, of {len(ranks)} settings.",
        "",
        "| bound on TPOT | settings | the choice meets it | throughput per device against the best that does |",
        "|---|---|---|---|",
    ]
    for bound in BOUNDS_MS:
        met, kept = [], []
        for rows in _settings(points):
            said, real = tpot[rows] * 1e3, points.tpot_s[rows] * 1e3
            if not (said <= bound).any() or not (real <= bound).any():
                continue
            rate = load[rows] / devices[rows]
            pick = int(np.argmax(np.where(said <= bound, rate / said, -1.0)))
            met.append(real[pick] <= bound)
            if met[-1]:
                kept.append(rate[pick] / real[pick] / np.where(real <= bound, rate / real, 0.0).max())
        shares = (_percent(np.asarray(each, float).mean()) for each in (met, kept))
        lines.append(f"| {bound} ms | {len(met)} | {' | '.join(shares)} |")
    return "\n".join(lines)


def _rank(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's correlation."""
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])


def _memory(*sets: Points) -> str:
    ran = [question for points in sets for question in points.questions]
    refused = sum(not fits(q.replica, q.prompt + q.output) for q in ran)
    impossible = sum(not fits(_replica(*each), 2048.0) for each in IMPOSSIBLE)
    return (
        f"Of {len(ran)} configurations that ran, {refused} are called out of memory; of {len(IMPOSSIBLE)} that cannot "
        f"run, {impossible} are refused.\n"
    )


def _replica(model: str, precision: str, device: str, degrees: tuple[int, int]) -> Replica:
    llm, found = find_model(model), find_device(device)
    assert isinstance(llm, LLM)
    assert found is not None
    return Replica(llm, found, Parallel(*degrees), precision, engine=find_engine())


def _speed() -> str:
    """A full grid: four devices, four degrees, 64 batches, ten prompts and ten outputs."""
    llm, count, start = find_model("llama-3.1-70b"), 0, time.process_time()
    assert isinstance(llm, LLM)
    for name in ("h100-sxm", "h200-sxm", "b200-sxm", "a100-sxm"):
        for tp in (1, 2, 4, 8):
            grid = np.meshgrid(np.arange(1, 65.0), np.linspace(256, 8192, 10), np.linspace(64, 2048, 10))
            serve(_replica(llm.id, "fp8", name, (tp, 1)), *(axis.ravel() for axis in grid))
            count += grid[0].size
    took = time.process_time() - start
    return (
        f"A grid of {count:,} serving configurations of Llama-3.1-70B takes {took:.2f} s of processor time, "
        f"{took / count * 1e6:.1f} microseconds each."
    )


def _percent(share: np.floating) -> str:
    return f"{100 * float(share):.1f} %"
