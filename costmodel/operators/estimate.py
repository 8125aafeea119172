"""Predictions for rows of a table of operators, in the columns of published measurements.

Columns are those of github.com/ai-dynamo/aiconfigurator: of attention, `isl` new tokens after `step` cached ones; of
collectives, `message_size` elements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..hardware import Device, find_device
from ..roofline import can_compute
from . import quality_of_fit
from .attention import prefill_attention_s
from .chip import chip_of
from .collectives import OPERATIONS, collective_s, host_bound_s, library_s
from .gemm import gemm_s
from .memory import Array

DTYPES: Mapping[str, str] = {
    "float32": "fp32", "fp32": "fp32", "bfloat16": "bf16", "bf16": "bf16", "float16": "fp16", "fp16": "fp16",
    "half": "fp16", "fp8": "fp8", "fp8_e4m3": "fp8", "fp8_block": "fp8", "fp8_ootb": "fp8", "fp8_static": "fp8",
    "int8": "int8", "int8_wo": "int8", "sq": "int8", "nvfp4": "fp4", "mxfp4": "fp4", "fp4": "fp4", "int4": "int4",
    "int4_wo": "int4", "w4a16": "int4",
}  # fmt: skip
"""Names of number formats in tables, as ours"""
ELEMENT_BYTES: Mapping[str, float] = {"fp32": 4, "bf16": 2, "fp16": 2, "fp8": 1, "int8": 1, "fp4": 0.5, "int4": 0.5}
OPERATION_NAMES: Mapping[str, str] = {
    "alltoall": "all_to_all",
    "p2p": "point_to_point",
    **{op: op for op in OPERATIONS},
}
LIBRARIES = frozenset({"nccl", "rccl", "oneccl"})
"""kernel sources that are a collective library"""
Row = Mapping[str, str]


class Prediction(NamedTuple):
    """What is said of one row: milliseconds and how they are known, or why not."""

    ms: float | None
    quality: str
    error: str


class Kind(NamedTuple):
    """One kind of table: the columns it must have, and its predictions on a device (None: each row names its own)."""

    columns: tuple[str, ...]
    predict: Callable[[Sequence[Row], Device], list[Prediction]]


def predict_gemm(rows: Sequence[Row], device: Device) -> list[Prediction]:
    """Of products (m, k) x (k, n), as benchmarks time them: again and again."""
    numbers, errors = _numbers(rows, ("m", "n", "k"))
    dtypes = _dtypes(rows, "gemm_dtype", device, errors)

    def seconds(dtype: str, at: np.ndarray) -> Array:
        return gemm_s(device, dtype, *(numbers[name][at] for name in ("m", "n", "k")), warm=True)

    return _by_group(dtypes, seconds, device, errors)


def predict_attention(rows: Sequence[Row], device: Device) -> list[Prediction]:
    """Of attention calls; one new token takes the decode kernel."""
    optional = {"step": 0.0, "window_size": 0.0}
    names = ("batch_size", "isl", "step", "num_heads", "num_key_value_heads", "head_dim", "window_size")
    numbers, errors = _numbers(rows, names, optional)
    for row in np.flatnonzero(numbers["num_key_value_heads"] > numbers["num_heads"]):
        errors.setdefault(int(row), "`num_key_value_heads` is above `num_heads`")
    stored = _dtypes(rows, "kv_cache_dtype", None, errors)
    if not can_compute(device, "bf16"):
        errors.update(dict.fromkeys(range(len(rows)), f"`{device.id}` cannot compute in bf16"))

    def seconds(dtype: str, at: np.ndarray) -> Array:
        return prefill_attention_s(device, "bf16", dtype, *(numbers[name][at] for name in names), warm=True)

    return _by_group(stored, seconds, device, errors)


def predict_comm(rows: Sequence[Row], device: Device) -> list[Prediction]:
    """Of collectives within a chassis, by the kernel that `kernel_source` names, or the fastest where it is blank."""
    numbers, errors = _numbers(rows, ("num_gpus", "message_size"))
    dtypes = _dtypes(rows, "dtype", None, errors)
    size = numbers["message_size"] * np.array([ELEMENT_BYTES.get(dtype, 2.0) for dtype in dtypes])
    groups = [f"{row['op_name'].strip()}/{row.get('kernel_source', '').strip().lower()}" for row in rows]
    for index, group in enumerate(groups):
        op = group.split("/")[0]
        if op not in OPERATION_NAMES:
            errors.setdefault(index, f"`op_name`: `{op}` is none of {', '.join(OPERATION_NAMES)}")
        elif not device.link_bandwidth_bytes_per_s:
            errors.setdefault(index, f"`{device.id}` has no link to other devices")

    def seconds(group: str, at: np.ndarray) -> Array:
        name, _, source = group.partition("/")
        op, many, devices = OPERATION_NAMES[name], size[at], numbers["num_gpus"][at]
        if source in LIBRARIES:
            return np.where(devices > 1, library_s(chip_of(device), op, many, np.maximum(devices, 2)), 0.0)
        time_s = collective_s(device, op, many, devices)
        return np.maximum(time_s, host_bound_s(chip_of(device))) if "eager" in source else time_s

    return _by_group(groups, seconds, device, errors)


KINDS: Mapping[str, Kind] = {
    "gemm": Kind(("gemm_dtype", "m", "n", "k"), predict_gemm),
    "attention": Kind(("batch_size", "isl", "num_heads", "num_key_value_heads", "head_dim"), predict_attention),
    "comm": Kind(("op_name", "dtype", "num_gpus", "message_size"), predict_comm),
}


def predict(kind: str, rows: Sequence[Row], device: Device | None) -> list[Prediction]:
    """Predictions of rows of that kind on `device`, or without one on the device that each row's `system` names."""
    if device is not None:
        return KINDS[kind].predict(rows, device)
    out = [Prediction(None, "", "the row names no `system`, and no device is given")] * len(rows)
    for name in sorted({row.get("system", "").strip() for row in rows} - {""}):
        places = [index for index, row in enumerate(rows) if row.get("system", "").strip() == name]
        named = find_device(name)
        if named is None:
            found = [Prediction(None, "", f"`system`: `{name}` is no device of the catalogue")] * len(places)
        else:
            found = KINDS[kind].predict([rows[index] for index in places], named)
        for index, prediction in zip(places, found, strict=True):
            out[index] = prediction
    return out


def _numbers(
    rows: Sequence[Row], names: Sequence[str], optional: Mapping[str, float] | None = None
) -> tuple[dict[str, Array], dict[int, str]]:
    """Columns as numbers, 1 where a cell is wrong, and what is wrong by row."""
    numbers: dict[str, Array] = {}
    errors: dict[int, str] = {}
    for name in names:
        least = (optional or {}).get(name)
        texts = [row.get(name) or ("" if least is None else str(least)) for row in rows]
        values = np.array([_number(text) for text in texts], float)
        wrong = ~np.isfinite(values) | (values < (1 if least is None else 0)) | (values > 2**53)
        wrong |= values != np.floor(values)
        for index in np.flatnonzero(wrong):
            needs = "a whole number of 1 or more" if least is None else "a whole number of 0 or more"
            errors.setdefault(int(index), f"`{name}`: `{texts[index][:40]}` is not {needs}")
        numbers[name] = np.where(wrong, 1.0, values)
    return numbers, errors


def _number(text: str) -> float:
    """The number that `text` writes, or NaN."""
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _dtypes(rows: Sequence[Row], column: str, device: Device | None, errors: dict[int, str]) -> list[str]:
    """Our names of the formats in `column`, bf16 where it is absent; faults, and what `device` lacks, in `errors`."""
    out: list[str] = []
    for index, row in enumerate(rows):
        text = row.get(column, "bfloat16").strip().lower()
        dtype = DTYPES.get(text, "")
        if not dtype:
            errors.setdefault(index, f"`{column}`: `{text[:40]}` is none of {', '.join(DTYPES)}")
        elif device is not None and not can_compute(device, dtype):
            errors.setdefault(index, f"`{device.id}` cannot compute in {dtype}")
        out.append(dtype)
    return out


def _by_group(
    groups: Sequence[str], seconds: Callable[[str, np.ndarray], Array], device: Device, errors: Mapping[int, str]
) -> list[Prediction]:
    """Predictions group by group, of the rows without errors."""
    quality = quality_of_fit(device)
    out = [Prediction(None, "", errors.get(index, "")) for index in range(len(groups))]
    names = np.array(groups)
    right = np.array([index not in errors for index in range(len(groups))], bool)
    for group in sorted(set(groups)):
        at = np.flatnonzero((names == group) & right)
        if len(at):
            for index, value in zip(at.tolist(), seconds(group, at).tolist(), strict=True):
                out[index] = Prediction(value * 1e3, quality, "")
    return out
