"""Tables that are refused, and the exact text that a user sees: `--update-golden` accepts what changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from dovetail.calibrate_driver import calibrate
from dovetail.ir.diagnostics import InputError

HEAD = "gemm_dtype,m,n,k,latency"
SERVED = "model_path,system,backend,isl,osl,batch_size,tp_size,tpot_ms"
TIMES = (0.0088, 0.0091, 0.0127, 0.0219, 0.0428, 0.0842, 0.167, 0.334)
"""[ms] of (m, 4096) x (4096, 1024) for m = 8, 16 ... 1024 on no device in particular"""


def rows(times: Mapping[int, str] | None = None, scale: float = 1.0) -> list[str]:
    texts = {**{i: f"{t * scale:g}" for i, t in enumerate(TIMES)}, **(times or {})}
    return [f"bfloat16,{8 * 2**i},1024,4096,{texts[i]}" for i in range(len(TIMES))]


def served(tpot: str) -> list[str]:
    return [f"llama-3.1-8b,l40s,vllm,1024,128,{2**i},1,{tpot}" for i in range(6)]


CASES: dict[str, list[str]] = {
    "microseconds": [HEAD, *rows(scale=1000)],
    "seconds": [HEAD, *rows(scale=0.001)],
    "unit_in_the_name": [HEAD.replace("latency", "latency_us"), *rows()],
    "no_times": [HEAD, *rows({1: "-0.01", 2: "0", 3: "nan", 4: "inf", 5: "quick", 6: ""})],
    "past_belief": [HEAD, *rows({1: "0.0000001", 7: "4000"})],
    "faults_of_every_kind": [
        f"{HEAD},system",
        *(f"{row},h100_sxm" for row in rows({2: "-1"})),
        "int3,1.5,64,64,0.01,l40s",
    ],
    "two_devices": [f"{HEAD},system", *(f"{row},{('l40s', 'a100_sxm')[i % 2]}" for i, row in enumerate(rows()))],
    "missing_columns": ["gemm_dtype,m,time", "bfloat16,1,0.01"],
    "column_twice": ["gemm_dtype,m,n,k,latency,latency", *(f"{row},1" for row in rows())],
    "too_few_rows": [HEAD, *rows()[:3]],
    "no_rows": [HEAD],
    "short_row": [HEAD, *rows(), "bfloat16,1,64"],
    "other_columns": ["name,colour", "l40s,green"],
    "served_in_seconds": [SERVED, *served("0.03")],
    "served_by_no_model": [SERVED, *served("30"), "llama-9,l40s,vllm,1024,128,1,1,30"],
    "two_cells_of_few_points": [
        SERVED,
        *served("30")[:4],
        *(row.replace("vllm", "sglang") for row in served("30")[:3]),
    ],
}


@pytest.mark.parametrize("case", CASES)
def test_text_of_the_fault(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, golden: Callable[[str, str], None]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text("\n".join(CASES[case]) + "\n")
    with pytest.raises(InputError) as caught:
        calibrate("l40s", "table.csv")
    golden(f"../costmodel/calibration/faults/{case}.txt", f"{caught.value}\n")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "has no header"),
        (bytes(range(256)), "is no text"),
        (b"\xff\xfe\xfd", "is no UTF-8 text"),
        (b'gemm_dtype,"m\n', "is missing"),
    ],
)
def test_files_that_are_no_tables(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(InputError) as caught:
        calibrate("l40s", tmp_path / "table.csv")
    assert words in str(caught.value)


def test_a_table_of_many_faults_shows_the_first_and_counts_the_others(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("\n".join([HEAD, *["bfloat16,1,64,64,-1"] * 500]))
    with pytest.raises(InputError) as caught:
        calibrate("l40s", tmp_path / "table.csv")
    assert len(caught.value.diagnostics) == 21
    assert "and 480 faults more" in str(caught.value)


def test_devices_that_are_not_known(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        calibrate("l40", tmp_path / "table.csv")
    assert "did you mean `l40s`" in str(caught.value)
    with pytest.raises(InputError) as caught:
        calibrate("my-npu", tmp_path / "table.csv")
    assert "describe it by its data sheet" in str(caught.value)
