"""Rows of a table: what is predicted of each, and why a row is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dovetail.cli import main
from dovetail.costmodel.hardware import find_device
from dovetail.costmodel.operators import collective_s, gemm_s, prefill_attention_s
from dovetail.costmodel.operators.estimate import predict


@pytest.fixture
def h100():
    device = find_device("h100_sxm")
    assert device is not None
    return device


def test_rows_are_what_the_functions_say(h100) -> None:
    (gemm,) = predict("gemm", [{"gemm_dtype": "bfloat16", "m": "64", "n": "4096", "k": "8192"}], h100)
    assert gemm.ms == pytest.approx(1e3 * float(gemm_s(h100, "bf16", 64, 4096, 8192, warm=True)))
    assert (gemm.quality, gemm.error) == ("fitted", "")
    shape = {"batch_size": "8", "isl": "1", "num_heads": "32", "num_key_value_heads": "8", "head_dim": "128"}
    (step,) = predict("attention", [{**shape, "kv_cache_dtype": "fp8", "step": "1023", "latency": "99"}], h100)
    assert step.ms == pytest.approx(
        1e3 * float(prefill_attention_s(h100, "bf16", "fp8", 8, 1, 1023, 32, 8, 128, warm=True))
    )


def test_messages_count_elements(h100) -> None:
    row = {"op_name": "alltoall", "kernel_source": "", "dtype": "half", "num_gpus": "8", "message_size": "1000000"}
    (half,) = predict("comm", [row], h100)
    assert half.ms == pytest.approx(1e3 * float(collective_s(h100, "all_to_all", 2e6, 8)))


def test_a_kernel_of_any_name_is_the_fastest(h100) -> None:
    row = {"op_name": "all_reduce", "dtype": "half", "num_gpus": "8", "message_size": "4096"}
    named, blank = predict("comm", [{**row, "kernel_source": "a/b/c"}, row], h100)
    assert named == blank


def test_attention_needs_a_rate_for_it() -> None:
    row = {"batch_size": "1", "isl": "64", "num_heads": "8", "num_key_value_heads": "8", "head_dim": "64"}
    (said,) = predict("attention", [row], find_device("ethos-u55-256"))
    assert (said.ms, said.error) == (None, "`ethos-u55-256` cannot compute in bf16")


def test_a_fault_is_of_its_row_alone(h100) -> None:
    good = {"gemm_dtype": "fp8", "m": "8", "n": "128", "k": "128"}
    rows = [{**good, "m": "-8"}, good, {**good, "gemm_dtype": "fp9"}, {**good, "k": "many"}, {**good, "n": "1.5"}]
    found = predict("gemm", rows, h100)
    assert [p.ms is None for p in found] == [True, False, True, True, True]
    assert [p.error.split("`")[1:4:2] for p in found if p.error] == [
        ["m", "-8"], ["gemm_dtype", "fp9"], ["k", "many"], ["n", "1.5"]
    ]  # fmt: skip


def test_rows_name_their_devices() -> None:
    row = {"op_name": "all_reduce", "dtype": "half", "num_gpus": "4", "message_size": "4096"}
    found = predict("comm", [{**row, "system": "a100_sxm"}, {**row, "system": "a1000"}, row], None)
    assert [bool(p.ms) for p in found] == [True, False, False]
    assert "a1000" in found[1].error
    assert "system" in found[2].error


def test_the_command_repeats_rows_and_adds_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, out = tmp_path / "in.csv", tmp_path / "out.csv"
    table.write_text('gemm_dtype,m,n,k,note\nbfloat16,1,4096,4096,"a, b"\nbfloat16,-1,4096,4096,\nbfloat16,1\n')
    assert main(["estimate", "gemm", str(table), "-o", str(out), "--device", "A100_SXM"]) == 0
    lines = out.read_text().splitlines()
    assert lines[0] == "gemm_dtype,m,n,k,note,predicted_ms,quality,error"
    assert lines[1].startswith('bfloat16,1,4096,4096,"a, b",0.0')
    assert lines[1].endswith(",fitted,")
    assert "`-1` is not a whole number" in lines[2]
    assert lines[3].endswith("2 cells under 5 columns")
    shown = capsys.readouterr().err
    assert "in.csv:3:10" in shown
    assert "3 rows, 2 of them with an error" in shown


def test_its_output_is_an_input(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    table = tmp_path / "in.csv"
    table.write_text("gemm_dtype,m,n,k\nint8,16,512,512\n")
    for source, out in ((table, first), (first, second)):
        assert main(["estimate", "gemm", str(source), "-o", str(out), "--device", "l4"]) == 0
    assert first.read_text() == second.read_text()


@pytest.mark.parametrize(
    ("text", "device", "said"),
    [
        ("gemm_dtype,m,n\n", "l4", "the column `k` is missing"),
        ("gemm_dtype,m,m,n,k\n", "l4", "the column `m` is there twice"),
        ("", "l4", "has no header"),
        ("gemm_dtype,m,n,k\n", "l44", "did you mean `l4`"),
        ("gemm_dtype,m,n,k\n", None, "give --device"),
    ],
)
def test_what_ends_the_command(
    text: str, device: str | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, out = tmp_path / "in.csv", tmp_path / "out.csv"
    table.write_text(text)
    arguments = ["estimate", "gemm", str(table), "-o", str(out)]
    assert main(arguments + (["--device", device] if device else [])) == 1
    assert said in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("name", ["missing/out.csv", "folder"])
def test_an_output_that_cannot_be_written_is_named(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, out = tmp_path / "in.csv", tmp_path / name
    table.write_text("gemm_dtype,m,n,k\nint8,16,512,512\n")
    (tmp_path / "folder").mkdir()
    assert main(["estimate", "gemm", str(table), "-o", str(out), "--device", "l4"]) == 1
    assert f"cannot write `{out}`" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "in.csv"]


def test_a_link_is_followed_and_a_pipe_is_left_in_place(tmp_path: Path) -> None:
    """`-o /dev/stdout` is a link to what is no file: renaming over it would take it from everyone."""
    table, target, link, pipe = (tmp_path / name for name in ("in.csv", "target.csv", "link.csv", "pipe"))
    table.write_text("gemm_dtype,m,n,k\nint8,16,512,512\n")
    link.symlink_to(target)
    os.mkfifo(pipe)
    assert main(["estimate", "gemm", str(table), "-o", str(link), "--device", "l4"]) == 0
    assert link.is_symlink()
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert main(["estimate", "gemm", str(table), "-o", str(pipe), "--device", "l4"]) == 0
        assert os.read(reader, 4096).decode() == target.read_text()
    finally:
        os.close(reader)
    assert pipe.is_fifo()
