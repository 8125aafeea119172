"""What names stand for: a network in a file is priced as each kind of device runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dovetail.costmodel.hardware import find_device
from dovetail.costmodel.roofline import time_s
from dovetail.costmodel.tensor_graph import total
from dovetail.costmodel.work import read_work, work_record
from dovetail.ir.read.onnx import read_onnx
from dovetail.passes.networks import Networks
from dovetail.passes.target import lower_for_target
from dovetail.planner.posing.resolve import file_work


def test_a_file_is_priced_after_the_passes_for_each_kind_of_device(tmp_path: Path) -> None:
    path = Path(__file__).parents[2] / "examples" / "classifier" / "classifier.onnx"
    work = file_work(path, "classifier", {}, ("cpu", "gpu"))
    ((gpu, _),), ((plain, _),) = work.lowered["gpu"], work.phases
    assert gpu == total(lower_for_target(read_onnx(path), "gpu"))
    assert gpu.launches < plain.launches
    assert gpu.moved_bytes < plain.moved_bytes
    h100, host = (find_device(name) for name in ("h100-sxm", "epyc-9554"))
    assert h100 is not None
    assert host is not None
    assert work.seconds(h100) == pytest.approx(time_s(gpu, h100, work.precision))
    assert work.seconds(host) == pytest.approx(time_s(work.lowered["cpu"][0][0], host, work.precision))
    assert read_work(work_record(work)) == work


def test_what_a_plan_reads_and_lowers_serves_who_emits_it(tmp_path: Path) -> None:
    """The file is gone by then: neither the network nor what its one device runs is made again."""
    path = tmp_path / "net.onnx"
    path.write_bytes((Path(__file__).parents[2] / "examples" / "classifier" / "classifier.onnx").read_bytes())
    networks = Networks()
    alone = file_work(path, "net", {}, ("gpu",), networks=networks, alone=True)
    path.unlink()
    network = networks.runnable(path, {})
    assert network is networks.read(path, {})
    lowered = networks.lowered(network, "gpu")
    assert lowered is networks.lowered(network, "gpu", "h100-sxm")  # which stands for its kind
    assert lowered is not networks.lowered(network, "gpu", "a100-sxm")
    assert ((total(lowered.network), 1.0),) == alone.lowered["gpu"]
