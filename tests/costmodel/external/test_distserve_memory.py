"""Most tokens in the caches of an instance, against the limits that DistServe measured for OPT models.

github.com/LLMServe/DistServe at 82831f16, `simdistserve/estimators/profile_data/max_num_tokens.csv`: A100s of 80 GB,
all degrees of tensor parallelism and stages. Its worker (`distserve/worker.py`) gives the cache what 95 % of the
79.15 GiB that the driver reports leave over 1 % and the weights, in blocks of 16 tokens: 79.9 GB in all. The rule here
is the planner's: what the data sheet's 80 GB leave over weights, activations and the runtime.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from dovetail.costmodel.hardware import find_device
from dovetail.costmodel.models import LLM, find_model
from dovetail.costmodel.serving import (
    Parallel,
    activation_bytes_per_device,
    kv_bytes_per_device,
    weight_bytes_per_device,
)

LONGEST_PROMPT = 2048
"""positions that OPT has"""


def most_tokens(model: LLM, parallel: Parallel) -> float:
    """Of context in all sequences that fit an instance on A100s, with one sequence in prefill."""
    device = find_device("a100-sxm")
    assert device is not None
    taken = weight_bytes_per_device(model, parallel) + activation_bytes_per_device(model, parallel, 1, LONGEST_PROMPT)
    return (device.memory_bytes - taken) / kv_bytes_per_device(model, parallel, 1)


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
