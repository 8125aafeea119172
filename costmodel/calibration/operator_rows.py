"""Measured operators of a user's table as arrays, and what the model says of them on a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..hardware import Device
from ..operators import collective_s, gemm_s, prefill_attention_s
from ..operators.chip import chip_of
from ..operators.collectives import host_bound_s, library_s, link_kind
from ..operators.estimate import DTYPES, ELEMENT_BYTES, LIBRARIES, OPERATION_NAMES
from ..operators.gemm import STORED_BYTES
from ..operators.memory import Array
from ..roofline import compute_dtype

COLUMNS: Mapping[str, Mapping[str, float | None]] = {
    "gemm": {"m": None, "n": None, "k": None},
    "attention": {
        "batch_size": None,
        "isl": None,
        "step": 0.0,
        "num_heads": None,
        "num_key_value_heads": None,
        "head_dim": None,
        "window_size": 0.0,
    },
    "comm": {"message_size": None, "num_gpus": None},
}
"""columns of numbers by kind of table, in the order of the model's arguments, with what stands for a blank"""


@dataclass(frozen=True)
class OperatorRows:
    """Rows of one kind."""

    kind: str
    groups: np.ndarray
    """what is priced at once: the dtype, or `op/kernel source`"""
    columns: tuple[Array, ...]
    measured_s: Array

    def __len__(self) -> int:
        return len(self.measured_s)

    def where(self, rows: np.ndarray) -> OperatorRows:
        """Some of them."""
        return OperatorRows(
            self.kind, self.groups[rows], tuple(column[rows] for column in self.columns), self.measured_s[rows]
        )

    def predict_s(self, device: Device) -> Array:
        """[s] of every row on `device`, repeated as benchmarks do."""
        out = np.empty(len(self))
        for group in dict.fromkeys(self.groups.tolist()):
            at = self.groups == group
            out[at] = _seconds(self.kind, group, [column[at] for column in self.columns], device)
        return out

    def kernels(self, device: Device) -> tuple[str, ...]:
        """Names of the kernels whose coefficients the rows tell of."""
        found: dict[str, None] = {}
        for group in dict.fromkeys(self.groups.tolist()):
            at = self.groups == group
            found.update(dict.fromkeys(_kernels(self.kind, group, [column[at] for column in self.columns], device)))
        return tuple(found)


def operator_rows(kind: str, rows: Sequence[Mapping[str, str]], measured_s: Array) -> OperatorRows:
    """The rows of a table that was found right."""
    columns = tuple(
        np.array([float(row.get(name) or (1.0 if blank is None else blank)) for row in rows])
        for name, blank in COLUMNS[kind].items()
    )
    if kind != "comm":
        named = {"gemm": "gemm_dtype", "attention": "kv_cache_dtype"}[kind]
        groups = [DTYPES[row.get(named, "bfloat16").strip().lower()] for row in rows]
        return OperatorRows(kind, np.array(groups), columns, measured_s)
    elements, devices = columns
    sizes = np.array([ELEMENT_BYTES[DTYPES[row["dtype"].strip().lower()]] for row in rows])
    groups = [f"{row['op_name'].strip()}/{row.get('kernel_source', '').strip().lower()}" for row in rows]
    return OperatorRows(kind, np.array(groups), (elements * sizes, devices), measured_s)


def _seconds(kind: str, group: str, columns: Sequence[Array], device: Device) -> Array:
    if kind == "gemm":
        m, n, k = columns
        return gemm_s(device, group, m, n, k, warm=True)
    if kind == "attention":
        batch, new, seen, heads, kv_heads, head_dim, window = columns
        return prefill_attention_s(
            device, "bf16", group, batch, new, seen, heads, kv_heads, head_dim, window, warm=True
        )
    size, devices = columns
    name, source = group.split("/")
    op = OPERATION_NAMES[name]
    if source in LIBRARIES:
        return library_s(chip_of(device), op, size, devices)
    time_s = collective_s(device, op, size, devices)
    return np.maximum(time_s, host_bound_s(chip_of(device))) if "eager" in source else time_s


def _kernels(kind: str, group: str, columns: Sequence[Array], device: Device) -> list[str]:
    if kind == "gemm":
        return ["gemm_quantised" if STORED_BYTES[compute_dtype(device, group)] < 2 else "gemm_plain"]
    if kind == "attention":
        width = "16_bit" if STORED_BYTES[group] >= 2 else "8_bit"
        new = columns[1]
        both = (("prefill", (new > 1).any()), ("decode", (new <= 1).any()))
        return [f"{name}_{width}" for name, there in both if there]
    name, source = group.split("/")
    link = link_kind(chip_of(device))
    engine = [f"all_reduce_kernel_{link}"] if OPERATION_NAMES[name] == "all_reduce" and source not in LIBRARIES else []
    return [f"collective_{link}", *engine, *(["all_reduce_eager"] if "eager" in source else [])]
