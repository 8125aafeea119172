"""A package that adds to Dovetail through its entry points alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dovetail.backends import EmitContext, OutputFile

DEVICES = {
    "outside-npu": {
        "kind": "npu",
        "vendor": "Outside",
        "figures": [
            {
                "source": "Outside data sheet",
                "date": "2026-01",
                "quality": "data_sheet",
                "memory": "96 GB",
                "bandwidth": "4000 GB/s",
                "flops": {"bf16": "900 TFLOP/s", "fp8": "1800 TFLOP/s"},
                "tdp": "500 W",
                "idle": "60 W",
                "list_price": "9000 USD",
            }
        ],
    }
}


@dataclass(frozen=True)
class PoolsBackend:
    """Writes one line for each pool."""

    name: str = "outside"

    def emit(self, plan: Mapping[str, Any], context: EmitContext) -> list[OutputFile]:
        """`outside/pools.txt`."""
        lines = (f"{pool['id']} {pool['device']} {pool['replicas']}\n" for pool in plan["pools"])
        return [OutputFile("outside/pools.txt", "".join(lines))]
