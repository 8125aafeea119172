"""
Whole networks in 16 bits, and with weights in 8 and 4, against float64: they err as rounding alone does.

What rounding alone does is worked out in float64, each tensor rounded where the program keeps it (`by_rounding`); a
program that adds up in few bits, or rounds more often or worse than it says, errs by more.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

import dovetail
from dovetail.backends.placed.errors import TOLERANCE
from dovetail.backends.placed.verify import verify
from examples.whole_networks import WHOLE

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="needs the extra dovetail[triton]")
PRECISIONS = {"bf16": "bf16", "fp16": "fp16", "bf16,weights=int8": "int8", "fp16,weights=int4": "int4", "int3": "int3"}
"""as asked for -> the narrowest format in it"""
GPU = "devices:\n  gpu: {model: h100-sxm, price: {rent: 1 USD/h}}\n"
SPREAD = 2.0
"""by how much the largest of some hundred errors may differ from that of other roundings of the same size"""


def hold(name: str, precision: str, executor: str, fleet: Path | None) -> None:
    whole = WHOLE[name](True)
    program = dovetail.compile(whole.network, fleet=fleet, precision=precision)
    (piece,) = verify(program.network, whole.inputs, along=False)["pieces"]
    assert (piece["executor"], piece["precision"]) == (executor, PRECISIONS[precision])
    for row in piece["outputs"]:
        assert row["nonfinite_alike"]
        assert row["by_rounding"] / SPREAD < row["relative_error"] < SPREAD * row["by_rounding"], row
        assert row["tolerance"] == TOLERANCE[PRECISIONS[precision]]


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("llama_block", "bf16"),
        ("llama_block", "bf16,weights=int8"),
        ("squeezenet", "fp16"),
        pytest.param("squeezenet", "int3", marks=pytest.mark.slow),
        *(pytest.param("gpt2", each, marks=pytest.mark.slow) for each in PRECISIONS),
    ],
)
def test_in_jax(name: str, precision: str) -> None:
    hold(name, precision, "jax on cpu", None)


@needs_triton
@pytest.mark.parametrize("precision", ["bf16", "fp16,weights=int4"])
def test_in_triton(precision: str, tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(GPU)
    hold("llama_decode", precision, "triton (interpreter)", path)
