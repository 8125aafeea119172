"""
Weights as safetensors: the length of a JSON header, the header, and the arrays.

Format: https://github.com/huggingface/safetensors, README, "Format" (2026-11). The reader is
copied, as it stands here, into emitted programs; it needs numpy alone, and for bf16 and fp8
ml_dtypes, which jax brings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

SAFETENSORS = {
    "BOOL": "bool",
    "U8": "uint8",
    "U16": "uint16",
    "U32": "uint32",
    "U64": "uint64",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "BF16": "bfloat16",
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
}


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """The arrays in the file at `path`, by name; ValueError where it is cut off."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    whole = len(content) >= 8 and start <= len(content)
    header = json.loads(content[8:start]) if whole else {}
    header.pop("__metadata__", None)
    ends = [start + entry["data_offsets"][1] for entry in header.values()]
    if not whole or max(ends, default=start) > len(content):
        cut = f"it is cut off after {len(content)} bytes"
        raise ValueError(f"{path} is no whole safetensors file: {cut}")
    arrays = {}
    for name, entry in header.items():
        low, high = (start + offset for offset in entry["data_offsets"])
        flat = np.frombuffer(content[low:high], SAFETENSORS[entry["dtype"]])
        arrays[name] = flat.reshape(entry["shape"])
    return arrays


def safetensors_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """A file that holds `arrays`; equal arrays in equal order give equal bytes."""
    kinds = {dtype: kind for kind, dtype in SAFETENSORS.items()}
    header, blocks, end = {}, [], 0
    for name, array in arrays.items():
        blocks.append(np.ascontiguousarray(array).tobytes())
        start, end = end, end + len(blocks[-1])
        dtype, shape = kinds[array.dtype.name], list(array.shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that arrays begin at a multiple of eight
    return b"".join([len(text).to_bytes(8, "little"), text, *blocks])
