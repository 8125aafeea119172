"""`benchmarks/gpu.py`: every case calls its kernel rightly, with no GPU and on one, and the table says what was met."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dovetail.costmodel.driver_names import catalogue_device
from dovetail.costmodel.hardware import load_devices

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

import gpu
from gpu_cases import SPECS
from gpu_cases.case import TOLERANCES, row_error
from gpu_cases.machines import Cuda, Host, found_torch

DEVICE = load_devices()["h100-sxm"]
BY_NAME = {spec.name: spec for spec in SPECS}
MATMUL = "matmul, 4096 x 4096 x 4096 float16"
ROWS = "RMS norm, 16384 x 4096 float16"


@pytest.mark.parametrize("name", BY_NAME)
def test_case_means_what_float64_says(interpreter, name):
    row = gpu.interpreted(Host(DEVICE, interpreter), BY_NAME[name], None)
    assert row.faults == ()
    assert row.error is not None


@pytest.mark.gpu
@pytest.mark.parametrize("name", BY_NAME)
def test_case_on_a_gpu_means_what_float64_says(name):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    on = Cuda(catalogue_device(torch.cuda.get_device_name()) or DEVICE, torch)
    case = BY_NAME[name].build(on, **BY_NAME[name].small)
    error, _ = gpu.checked(on, case)
    assert error <= TOLERANCES[case.dtype]


def test_names_differ_and_kinds_have_aims():
    assert len(BY_NAME) == len(SPECS)
    assert {spec.kind for spec in SPECS} == set(gpu.AIMS)


def test_a_wrong_result_is_told(interpreter):
    spec = BY_NAME[ROWS]

    def wrong(on, **sizes):
        return replace(case := spec.build(on, **sizes), expected=lambda xp, t: 1.1 * case.expected(xp, t))

    row = gpu.interpreted(Host(DEVICE, interpreter), replace(spec, build=wrong), None)
    assert [fault.split(" of a row")[0] for fault in row.faults] == ["the kernel is off by 9.1e-02"]


def test_error_is_of_the_worst_row_and_not_a_number_is_not_lost():
    expected = np.array([[3.0, 4.0], [0.0, 1000.0]])
    found = expected + np.array([[0.5, 0.0], [1.0, 1.0]])
    assert row_error(np, found, expected) == pytest.approx(0.1)
    found[1, 0] = np.nan
    assert np.isnan(gpu.worst_error(np, (expected, found), (expected, expected)))


def test_floor_is_the_larger_of_operations_and_bytes(interpreter):
    on = Host(DEVICE, interpreter)
    matmul = replace(BY_NAME[MATMUL].build(on, m=16, n=16, k=16), flops=1e9 * 989.4, moved_bytes=1.0)
    assert gpu.floor_us(matmul, DEVICE) == (pytest.approx(1e3, rel=1e-3), "compute")
    assert gpu.floor_us(replace(matmul, flops=0.0, moved_bytes=3.35e9), DEVICE) == (pytest.approx(1e3), "memory")


def test_table_says_what_is_met():
    matmul = gpu.Measured(MATMUL, "matmul", 1e-4, 80.0, "compute", 100.0, {"cuBLAS": 95.0, "other": 120.0})
    norm = gpu.Measured(ROWS, "rows", 1e-4, 60.0, "memory", 80.0, {"rms_norm": 90.0})
    lost = gpu.Measured(ROWS, "rows", faults=("the kernel fails: RuntimeError: no",))
    lines = list(gpu.table([matmul, norm, lost]))
    assert "| 0.95 | 0.80 | 0.9 of the library, met |" in lines[2]
    assert "| 1.12 | 0.75 | 0.9 of the floor, **missed** |" in lines[3]
    assert "the kernel fails: RuntimeError: no" in lines[4]
    assert len({line.count("|") for line in lines}) == 1


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("NVIDIA H200", "h200-sxm"), ("NVIDIA H100 80GB HBM3", "h100-sxm"), ("NVIDIA H100 PCIe", "h100-pcie"),
        ("NVIDIA A100-SXM4-80GB", "a100-sxm"), ("NVIDIA A100-PCIE-40GB", "a100-pcie"), ("NVIDIA L40S", "l40s"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"), ("NVIDIA B200", "b200-sxm"), ("Tesla V100-SXM2-16GB", "v100"),
    ],
)  # fmt: skip
def test_drivers_names_are_devices_of_the_catalogue(name, id):
    device = catalogue_device(name)
    assert device is not None
    assert device.id == id


def test_what_cannot_be_measured_is_told_in_one_line(capsys):
    assert catalogue_device("NVIDIA Quadro 600") is None
    assert gpu.main(["--only", "no such case"]) == 1
    assert capsys.readouterr().err == "benchmarks/gpu.py: no case has `no such case` in its name\n"
    if found_torch() is None:
        assert gpu.main([]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert "nothing is measured: torch is not installed" in said.err
        assert said.err.count("\n") == 1
