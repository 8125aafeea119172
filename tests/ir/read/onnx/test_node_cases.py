"""ONNX's own cases for each operator: what is read of them means what they expect, and what is refused says why."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from dovetail.ir.diagnostics import InputError
from dovetail.ir.interpret import interpret
from dovetail.ir.read.onnx import read_onnx
from dovetail.ir.read.onnx.file import OPSETS
from dovetail.ir.read.onnx.operators import OPERATORS
from dovetail.ir.read.onnx.shapes import SHAPE_OPERATORS

DIFFER = {
    "test_dynamicquantizelinear_expanded": "rounds a float32 that lies between two integers",
    "test_resize_downsample_scales_linear_align_corners": "takes the output's size before it is rounded down",
    "test_resize_downsample_scales_cubic_align_corners": "takes the output's size before it is rounded down",
}
"""Cases whose numbers are others than ours, and why; onnxruntime gives ours for both that resize."""
WITHOUT_CASE = {"DynamicQuantizeLinear", "If"}
"""Operators of which every case is refused, or is not on arrays."""
REFUSED = (
    "`antialias` and `exclude_outside` are not supported",
    "`ceil_mode` together with",
    "`tf_crop_and_resize` is not supported",
    "`training_mode` is not supported",
    "a scale that follows from the input",
    "elements of type STRING are not supported",
    "`batch_dims` are not supported",
    "reductions other than add",
    "integers to a power that is no integer",
    "is an output that is not read",
    "it has sub-graphs",
    "its inputs must be known while reading",
    "must be a constant",
    "only one or two tensors",
    "the places of the largest elements",
    "which branch is taken depends on the input",
)
"""Why cases of operators that are read are refused."""


def cases() -> list[Any]:
    """The cases that are made of operators that are read, on arrays; those in bfloat16 round on the way."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collected = collect_testcases(None)
    known = {*OPERATORS, *SHAPE_OPERATORS}
    return [case for case in collected if kinds(case) <= known and plain(case)]


def kinds(case: Any) -> set[str]:
    return {node.op_type for node in case.model.graph.node}


def plain(case: Any) -> bool:
    values = [each for part in case.data_sets[0] for each in part]
    return all(isinstance(each, np.ndarray | np.generic) and each.dtype.name != "bfloat16" for each in values)


def outcome(case: Any, path: Path) -> str:
    """`same`, `other`, or why the case is refused; inputs that must be known are made so."""
    inputs, expected = case.data_sets[0]
    for fixed in (False, True):
        model = onnx.ModelProto()
        model.CopyFrom(case.model)
        for used in model.opset_import:  # logic has not changed since opset 7
            used.version = used.version if used.domain else max(used.version, OPSETS[0])
        if fixed:
            names = [each.name for each in model.graph.input]
            model.graph.initializer.extend(map(numpy_helper.from_array, map(np.asarray, inputs[1:]), names[1:]))
        onnx.save(model, str(path))
        try:
            network = read_onnx(path)
        except InputError as error:
            if "must be a constant" in str(error) and not fixed:
                continue
            return str(error.diagnostics[0].message)
        network.module.verify()
        with np.errstate(all="ignore"):
            found = interpret(network.module, inputs[: len(network.input_names)], network.weights)
        return "same" if all(map(close, found, expected)) else "other"
    raise AssertionError("unreachable")


def close(ours: np.ndarray, theirs: np.ndarray) -> bool:
    wanted = np.asarray(theirs, dtype=np.float64)
    return ours.shape == wanted.shape and np.allclose(ours, wanted, rtol=1e-3, atol=1e-5, equal_nan=True)


def test_operators_mean_what_their_cases_expect(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    met: set[str] = set()
    for case in cases():
        found = outcome(case, tmp_path / "case.onnx")
        counts[found] += 1
        if found == "other":
            assert case.name in DIFFER, f"{case.name} means something else"
        elif found == "same":
            met |= kinds(case)
        else:
            assert any(reason in found for reason in REFUSED), f"{case.name}: {found}"
    assert counts["same"] >= 1000
    assert {*OPERATORS} - met == WITHOUT_CASE
