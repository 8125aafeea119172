"""Work grows with the number of ops and no faster: calls are counted, of a network and of one four times as deep."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from xdsl.utils.arg_spec import parse_pipeline

from dovetail.costmodel.tensor_graph import activation_bytes, total
from dovetail.ir import nn
from dovetail.ir.text import parse_module, print_module
from dovetail.ir.verify import verify_module
from dovetail.passes import NN_PIPELINE, TARGET_PIPELINE, find_pass
from dovetail.passes.nn.draft import Draft
from dovetail.passes.nn.nn_pass import NnPass
from dovetail.passes.nn.profit import target_of

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
SMALL, TIMES = 300, 4
ALLOWED = 1.05
"""calls per op of the larger network over those of the smaller"""


def deep_network(ops: int) -> nn.NnModule:
    """That of the benchmark."""
    spec = spec_from_file_location("deep_network", BENCHMARKS / "deep_network.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.deep_network(ops)


def calls(action: Callable[[], Any]) -> int:
    """How many functions `action` calls, those of C counted."""
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    gc.collect()
    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


@cache
def calls_of_stages(ops: int) -> dict[str, float]:
    """Calls per op of each stage; the passes of a GPU change one draft in turn."""
    network = deep_network(ops)
    text = print_module(network.module)
    found: dict[str, float] = {
        "verify": calls(lambda: verify_module(network.module, "it")),
        "print": calls(lambda: print_module(network.module)),
        "parse": calls(lambda: parse_module(text, "it.mlir")),
        "clone": calls(network.module.clone),
        "cost": calls(lambda: (total(network), activation_bytes(network))),
    }
    count = len(list(network.module.walk()))
    draft = Draft(network.module, dict(network.weights), target_of("gpu"))
    for name, _ in (*NN_PIPELINE, *TARGET_PIPELINE["gpu"]):
        (spec,) = parse_pipeline(name)
        each = find_pass(spec.name).from_spec(spec)
        assert isinstance(each, NnPass)
        found[spec.name] = found.get(spec.name, 0) + calls(lambda each=each: each.rewrite(draft))
    return {name: number / count for name, number in found.items()}


STAGES = ("verify", "print", "parse", "clone", "cost", *dict.fromkeys(
    name.partition("{")[0] for name, _ in (*NN_PIPELINE, *TARGET_PIPELINE["gpu"])
))  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
def test_calls_per_op_do_not_grow(stage: str) -> None:
    few, many = calls_of_stages(SMALL)[stage], calls_of_stages(TIMES * SMALL)[stage]
    assert many <= ALLOWED * few, f"{few:.1f} calls per op, then {many:.1f}"
