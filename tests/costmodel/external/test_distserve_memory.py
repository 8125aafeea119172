"""Most tokens in the caches of an instance, against the limits that DistServe measured for OPT models.

github.com/LLMServe/DistServe at 82831f16, `simdistserve/estimators/profile_data/max_num_tokens.csv`: A100s of 80 GB,
all degrees of tensor parallelism and stages. Its worker (`distserve/worker.py`) gives the cache what 95 % of the
79.15 GiB that the driver reports leave over 1 % and the weights, in blocks of 16 tokens. Here it is the same share of
the memory, over weights, activations and the runtime, as for any model; no row has a figure of its own.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from dovetail.costmodel.hardware import find_device
from dovetail.costmodel.models import LLM, find_model
from dovetail.costmodel.serving import Parallel, Replica, find_engine, sequences_held

LONGEST = 2048.0
"""tokens of a sequence: positions that OPT has"""
MEMORY_SHARE = 0.95
"""of a GPU's memory that the server may take: a setting of the server's, `gpu_memory_utilization`"""


def most_tokens(model: LLM, parallel: Parallel) -> float:
    """Of context in all sequences that fit an instance on A100s, with one prompt in prefill."""
    device = find_device("a100-sxm")
    assert device is not None
    engine = replace(find_engine(), memory_share=MEMORY_SHARE)
    return sequences_held(Replica(model, device, parallel, engine=engine), LONGEST) * LONGEST


def test_token_limits(data_folder: Path) -> None:
    """Every one of 76 rows within 10 %."""
    with (data_folder / "silicon" / "distserve" / "max_num_tokens.csv").open() as rows:
        limits = list(csv.DictReader(rows))
    errors: dict[str, float] = {}
    for row in limits:
        model = find_model(row["model"])
        assert isinstance(model, LLM)
        parallel = Parallel(tp=int(row["tp"]), pp=int(row["pp"]))
        found = most_tokens(model, parallel)
        errors[f"{model.id} tp {parallel.tp} pp {parallel.pp}"] = found / int(row["max_num_tokens"]) - 1
    assert len(errors) > 60
    assert {name: round(error, 3) for name, error in errors.items() if abs(error) > 0.10} == {}


@pytest.mark.parametrize(("name", "billions"), [("opt-13b", 12.85), ("opt-66b", 65.7), ("opt-175b", 175)])
def test_parameters(name: str, billions: float) -> None:
    """As published, without learnt positions."""
    model = find_model(name)
    assert isinstance(model, LLM)
    assert model.parameters / 1e9 == pytest.approx(billions, rel=0.003)
