"""Tables of measured operator latencies, as columns of numpy arrays in SI units and the model's own names."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..operators.collectives import ROUNDS, SMALL_BYTES

BYTES = {"bfloat16": 2, "half": 2, "float16": 2, "fp8": 1, "int8": 1}
"""of one element"""
OPERATIONS = {
    "all_reduce": "all_reduce",
    "all_gather": "all_gather",
    "reduce_scatter": "reduce_scatter",
    "alltoall": "all_to_all",
}
_HOST_BOUND_BYTES = 256 * 1024
"""messages below this take less time than the host needs to start their kernels"""
NUMBERS = {
    "batch_size": "b",
    "num_heads": "h",
    "num_key_value_heads": "g",
    "head_dim": "d",
    "isl": "isl",
    "step": "step",
    "m": "m",
    "n": "n",
    "k": "k",
    "num_gpus": "devices",
}
"""columns of the files by our names"""


@dataclass(frozen=True)
class Table:
    """Rows of one device: numbers by column, and what they are rows of."""

    numbers: Mapping[str, np.ndarray]
    """`latency` [s]; `width`, bytes of a stored element; and the shape's columns (NaN where a row has none)"""
    text: Mapping[str, np.ndarray]
    """`kind` (gemm, prefill, decode, library, one_kernel, eager), and `op`, `link` of collectives"""

    def __len__(self) -> int:
        return len(self.numbers["latency"])

    def __getitem__(self, column: str) -> np.ndarray:
        return self.numbers[column]

    def of(self, kind: str, what: float | str) -> np.ndarray:
        """Which rows are of that kind and width (collectives: link)."""
        same = self.text["link"] == what if isinstance(what, str) else self["width"] == what
        return (self.text["kind"] == kind) & same

    def where(self, rows: np.ndarray) -> Table:
        return Table({n: v[rows] for n, v in self.numbers.items()}, {n: v[rows] for n, v in self.text.items()})

    def sample(self, limit: int, seed: int = 0) -> Table:
        """At most `limit` rows, drawn evenly."""
        order = np.random.default_rng(seed).permutation(len(self))[:limit]
        return self.where(np.sort(order))


def read_folder(folder: Path) -> dict[str, Table]:
    """Every row of the `*_gemm.csv`, `*_attention.csv` and `comm.csv` of `folder`, by device id."""
    rows: dict[str, list[tuple[str, dict[str, str]]]] = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                device = row.get("system") or path.stem.split("_gemm")[0].split("_context")[0].split("_generation")[0]
                rows.setdefault(device.replace("_", "-"), []).append((path.stem, row))
    return {device: _table(lines, device) for device, lines in sorted(rows.items())}


def _table(lines: list[tuple[str, dict[str, str]]], device: str) -> Table:
    names = {ours: theirs for theirs, ours in NUMBERS.items()}
    numbers = {ours: np.array([float(row.get(theirs) or "nan") for _, row in lines]) for ours, theirs in names.items()}
    numbers["latency"] = np.array([float(row["latency"]) for _, row in lines]) * 1e-3
    numbers["width"] = np.array([_width(row) for _, row in lines], float)
    numbers["size"] = np.array([float(row.get("message_size") or "nan") for _, row in lines]) * numbers["width"]
    link = "pcie" if device == "l40s" else "fabric"
    text = {
        "kind": np.array([_kind(stem, row) for stem, row in lines]),
        "op": np.array([OPERATIONS.get(row.get("op_name", ""), "") for _, row in lines]),
        "link": np.array([link if stem == "comm" else "" for stem, _ in lines]),
    }
    assert set(text["op"]) <= {*ROUNDS, ""}
    return Table(numbers, text)


def _width(row: Mapping[str, str]) -> int:
    """Bytes of what is stored: weights, keys and values, or the message."""
    return BYTES[row.get("gemm_dtype") or row.get("kv_cache_dtype") or row["dtype"]]


def _kind(stem: str, row: Mapping[str, str]) -> str:
    if stem == "comm":
        source = row["kernel_source"]
        size = float(row["message_size"]) * _width(row)
        engine = {"vLLM_custom_graph": (SMALL_BYTES, "one_kernel"), "vLLM_custom_eager": (_HOST_BOUND_BYTES, "eager")}
        most, name = engine.get(source, (0, ""))
        return "library" if source == "NCCL" else name if size < most else "other"
    if stem.endswith("gemm"):
        return "gemm"
    return "decode" if "generation" in stem or row["isl"] == "1" else "prefill"
