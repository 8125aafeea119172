"""The command as a whole: what it finds, the catalogue that it writes, and who uses it then."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from dovetail.backends.calibration_text import calibration_text
from dovetail.calibrate_driver import calibrate
from dovetail.check_driver import check
from dovetail.cli import main
from dovetail.costmodel.hardware import find_device
from dovetail.costmodel.inventory_devices import device_text, devices_json
from dovetail.costmodel.operators import gemm_s, quality_of_fit
from dovetail.costmodel.serving.table import answer, read_question
from dovetail.driver import plan, with_catalogue
from dovetail.ir.diagnostics import InputError

SHAPES = [(m, n, k) for m in (1, 64, 700, 4096) for n, k in ((1024, 4096), (8192, 1024), (12288, 5120))]
MINE = """\
devices:
  my-gpu:
    kind: gpu
    vendor: Acme
    figures: [{source: its sheet, date: 2026-10, quality: data_sheet, memory: 64 GiB, bandwidth: 2 TB/s, tdp: 400 W,
               flops: {bf16: 400 TFLOP/s}, rent: 1.5 USD/h}]
"""
GRAPH = """\
version: 1
nodes: {think: {kind: llm, model: llama-3.1-8b, prompt_tokens: 1000, output_tokens: 200}}
workload: {rate: 0.01 req/s}
fleet: {devices: {gpu: {model: my-gpu, price: {rent: 1.5 USD/h}}}}
"""


def gemm_table(path: Path, device: str, factor: float) -> Path:
    """Products that take `factor` times what the model says of the device."""
    found = find_device(device)
    assert found is not None
    times = [float(gemm_s(found, "bf16", *shape, warm=True)) * factor * 1e3 for shape in SHAPES]
    rows = [f"bfloat16,{m},{n},{k},{time:.6g}" for (m, n, k), time in zip(SHAPES, times, strict=True)]
    path.write_text("\n".join(["gemm_dtype,m,n,k,latency", *rows]) + "\n")
    return path


def serving_table(path: Path, device: str, factor: float, engine: str = "vllm") -> Path:
    """Points of an 8B model that take `factor` times what the model says."""
    head = "model_path,system,backend,isl,osl,batch_size,tp_size"
    lines = [f"llama-3.1-8b,{device},{engine},{isl},200,{batch},1" for isl in (256, 2048) for batch in (1, 2, 4, 8, 16)]
    asked = [read_question(dict(zip(head.split(","), line.split(","), strict=True))) for line in lines]
    said = [each for each in answer(asked) if not isinstance(each, str)]
    times = [f"{each.ttft_s * factor * 1e3:.6g},{each.tpot_s * factor * 1e3:.6g}" for each in said]
    rows = [f"{line},{more}" for line, more in zip(lines, times, strict=True)]
    path.write_text("\n".join([f"{head},ttft_ms,tpot_ms", *rows]) + "\n")
    return path


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(MINE)
    return path


def test_a_device_of_the_users_own_is_calibrated_and_found_so(mine: Path, tmp_path: Path) -> None:
    with with_catalogue(mine):
        table = gemm_table(tmp_path / "gemm.csv", "my-gpu", 1.6)
    found = calibrate("my-gpu", table, output=mine)
    assert found["start"]["quality"] == "guess"
    (one,) = found["found"]
    assert one["error_before"] == pytest.approx(1 - 1 / 1.6, rel=0.01)
    assert one["error_after"] < 0.1
    assert {each["quality"] for each in one["fitted"]["gemm_plain"].values()} == {"fitted"}
    with with_catalogue(mine):
        device = find_device("my-gpu")
        assert device is not None
        before = gemm_s(replace(device, calibration=type(device.calibration)()), "bf16", 512, 4096, 4096)
        assert float(gemm_s(device, "bf16", 512, 4096, 4096) / before) == pytest.approx(1.6, rel=0.1)
        assert quality_of_fit(device) == "fitted"
    text = calibration_text(found)
    assert "gemm, 12 rows" in text
    assert f"written to {mine}" in text


def test_serving_points_move_plans_and_plans_are_derived_again_with_them(mine: Path, tmp_path: Path) -> None:
    (tmp_path / "graph.yaml").write_text(GRAPH)
    before = plan(tmp_path / "graph.yaml", catalogue=mine)
    with with_catalogue(mine):
        table = serving_table(tmp_path / "serving.csv", "my-gpu", 1.5)
    found = calibrate("my-gpu", table, output=tmp_path / "more.yaml", catalogue=mine)
    assert found["found"][0]["ttft_error_after"] < 0.1
    assert mine.read_text() == MINE
    after = plan(tmp_path / "graph.yaml", catalogue=tmp_path / "more.yaml")
    ratio = after.latency["first_output"]["p50"] / before.latency["first_output"]["p50"]  # of requests that do not wait
    assert ratio == pytest.approx(1.5, rel=0.05)
    assert after.latency["tbt"]["think"] / before.latency["tbt"]["think"] == pytest.approx(1.5, rel=0.02)
    after.write(tmp_path / "out")
    assert not check(tmp_path / "out")
    document = json.loads((tmp_path / "out" / "plan.json").read_text())
    entry = document["inputs"]["catalogue"]["devices"]["my-gpu"]
    entry["calibration"][0]["serving"]["fitted"]["step_scale"] *= 1.5
    (tmp_path / "out" / "plan.json").write_text(json.dumps(document))
    assert check(tmp_path / "out")


def test_tables_add_up_and_a_newer_one_takes_the_place_of_its_like(mine: Path, tmp_path: Path) -> None:
    with with_catalogue(mine):
        gemm = gemm_table(tmp_path / "gemm.csv", "my-gpu", 1.6)
        again = gemm_table(tmp_path / "again.csv", "my-gpu", 3.0)
        serving = serving_table(tmp_path / "serving.csv", "my-gpu", 1.5)
    for table in (gemm, serving, again):
        calibrate("my-gpu", table, output=mine)
    groups = yaml.safe_load(mine.read_text())["devices"]["my-gpu"]["calibration"]
    assert [group["source"] for group in groups] == ["serving.csv", "again.csv"]
    with with_catalogue(mine):
        last = device_text("my-gpu").splitlines()[-2:]
        (plain,) = devices_json("my-gpu")
    assert last[0].startswith("calibrated by serving.csv")
    assert "llama-3.1-8b vllm bf16: median error" in last[0]
    assert "gemm_plain: median error" in last[1]
    assert plain["calibration"] == groups


def test_engines_and_models_that_were_not_measured_stay_as_they_are(tmp_path: Path) -> None:
    kept = tmp_path / "kept.yaml"
    calibrate("h100-sxm", serving_table(tmp_path / "serving.csv", "h100-sxm", 2.0), output=kept)
    row = {"model_path": "llama-3.1-8b", "system": "h100-sxm", "isl": "512", "osl": "100", "batch_size": "4"}
    for change, moved in (({"backend": "vllm"}, True), ({"backend": "sglang"}, False), ({"precision": "fp8"}, False)):
        asked = {**row, **change}
        (plain,) = answer([read_question(asked)])
        with with_catalogue(kept):
            (now,) = answer([read_question(asked)])
        assert not isinstance(plain, str)
        assert not isinstance(now, str)
        assert (now.tpot_s / plain.tpot_s > 1.5) is moved


def test_rows_that_the_model_has_right_leave_it_as_it_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = gemm_table(tmp_path / "gemm.csv", "h100-sxm", 1.0)
    lines = table.read_text().splitlines()
    noisy = [
        f"{line.rsplit(',', 1)[0]},{float(line.rsplit(',', 1)[1]) * np.exp(0.01 * rng.normal()):.6g}"
        for line in lines[1:]
    ]
    table.write_text("\n".join([lines[0], *noisy]))
    found = calibrate("h100-sxm", table, output=tmp_path / "kept.yaml")
    assert found["start"]["quality"] == "fitted"
    assert found["found"][0]["error_after"] < 0.02
    assert ("written" in found) is found["found"][0]["kept"] is (tmp_path / "kept.yaml").exists()


def test_a_file_that_is_no_catalogue_is_not_written_over(mine: Path, tmp_path: Path) -> None:
    table = gemm_table(tmp_path / "gemm.csv", "h100-sxm", 2.0)
    other = tmp_path / "notes.txt"
    other.write_text("remember: the milk\n")
    for catalogue in (None, mine):
        with pytest.raises(InputError):
            calibrate("h100-sxm", table, output=other, catalogue=catalogue)
    assert other.read_text() == "remember: the milk\n"


def test_the_command_prints_text_or_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = str(gemm_table(tmp_path / "gemm.csv", "h200-sxm", 1.5))
    assert main(["calibrate", "h200-sxm", table]) == 0
    assert "first h100-sxm" in (text := capsys.readouterr().out)
    assert "-o FILE" in text
    assert main(["calibrate", "h200-sxm", table, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["device"] == "h200-sxm"
    assert main(["calibrate", "h200-sxm", str(tmp_path / "none.csv")]) == 1
