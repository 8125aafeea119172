"""Every number of the catalogue says where it is from, and the devices of a public list are in it."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import pytest

from dovetail.costmodel.figures import QUALITIES, Figure, marked_values, worst
from dovetail.costmodel.hardware import contradictions, find_device, load_devices, read_device
from dovetail.costmodel.models import LLM, find_model, load_models, model_entries
from dovetail.costmodel.networks import Network

GPU_NAMES = Path(__file__).parents[1] / "data" / "gpu_names.txt"
NAMES = [line for line in GPU_NAMES.read_text().splitlines() if not line.startswith("#")]
FIGURES = [
    (f"{id}.{name}", figure)
    for id, item in [*load_devices().items(), *load_models().items()]
    if not isinstance(item, LLM)
    for name, figure in item.figures.items()
]
NEEDED = {"memory", "bandwidth", "tdp", "idle"}


@pytest.mark.parametrize("figure", [pytest.param(figure, id=name) for name, figure in FIGURES])
def test_every_figure_has_source_date_and_quality(figure: Figure) -> None:
    assert figure.source
    assert figure.date[:2] == "20"
    assert figure.quality in QUALITIES
    assert figure.value > 0


@pytest.mark.parametrize("id", load_devices())
def test_every_device_can_be_costed(id: str) -> None:
    device = load_devices()[id]
    assert set(device.figures) >= NEEDED
    assert device.flops_per_s
    assert device.idle_w < device.tdp_w
    assert device.kind in ("gpu", "npu", "cpu")
    assert (device.kind == "cpu") == (device.cores is not None)
    assert device.chassis == 1 or device.link_bandwidth_bytes_per_s > 0
    assert device.kind == "cpu" or device.scratchpad_bytes or device.multiprocessors
    assert not list(contradictions(device.figures))


@pytest.mark.parametrize("name", NAMES)
def test_names_of_the_public_list_are_devices_with_either_dash(name: str) -> None:
    device = find_device(name)
    assert device is not None
    assert device == find_device(name.replace("_", "-"))
    assert device.id == name.replace("_", "-")


@pytest.mark.parametrize("id", load_models())
def test_models_are_found_by_each_of_their_names(id: str) -> None:
    model = load_models()[id]
    assert find_model(id.upper()) == model
    for alias in model_entries()[id].get("aliases", ()):
        assert find_model(alias) == model


def test_language_models_have_source_and_date() -> None:
    llms = [model for model in load_models().values() if isinstance(model, LLM)]
    assert llms
    assert all(llm.source and llm.date.startswith("20") for llm in llms)


def test_unknown_names_are_found_nowhere() -> None:
    assert find_device("h9000") is None
    assert find_model("llama-9000b") is None


def test_networks_have_stacks_from_figures() -> None:
    whisper = find_model("openai/whisper-large-v3")
    assert isinstance(whisper, Network)
    assert whisper.figures["encoder.layers"].quality == "data_sheet"
    assert whisper.figures["steps_per_unit"].quality == "guess"


def test_units_of_figures_are_read() -> None:
    group = {"source": "s", "date": 2024, "quality": "measured", "memory": "1 GiB", "flops": {"bf16": "2 TFLOP/s"}}
    device = read_device("My_Box", {"kind": "npu", "vendor": "v", "figures": [group]})
    assert device.id == "my-box"
    assert (device.memory_bytes, device.flops_per_s["bf16"]) == (2**30, 2e12)
    assert device.quality == {"memory": "measured", "flops.bf16": "measured"}


def test_an_unknown_quality_mark_is_an_error() -> None:
    entry = {"figures": [{"source": "s", "date": 2024, "quality": "sure", "memory": "1 GB"}]}
    with pytest.raises(ValueError, match="`sure` is no quality mark"):
        list(marked_values(entry))


def test_the_worst_mark_counts() -> None:
    assert worst("measured", "guess", "data_sheet") == "guess"
    assert worst("measured", "fitted") == "fitted"


LISTED = {
    "mem_gib": ("memory", 2**30),
    "mem_bw_gbs": ("bandwidth", 1e9),
    "bf16_tflops": ("flops.bf16", 1e12),
    "int8_tops": ("flops.int8", 1e12),
    "fp8_tflops": ("flops.fp8", 1e12),
    "fp4_tflops": ("flops.fp4", 1e12),
    "tdp_w": ("tdp", 1.0),
    "gpus_per_node": ("chassis", 1.0),
    "intra_gbs": ("link_bandwidth", 1e9),
    "inter_gbs": ("network_bandwidth", 1e9),
    "pcie_gbs": ("host_bandwidth", 1e9),
}
"""column of the public list -> figure of ours and its unit there"""
DIFFERENT = {
    ("b200_sxm", "inter_gbs"): "the DGX has one card of 400 Gbit/s a GPU",
    ("b200_sxm", "pcie_gbs"): "128 GB/s is both directions of PCIe Gen5",
    ("b60", "gpus_per_node"): "workstations hold four",
    ("b60", "inter_gbs"): "eight lanes of PCIe Gen5 carry 31.5 GB/s",
    ("gb200", "inter_gbs"): "NVLink of the rack, which is `rack_bandwidth`",
    ("gb200", "pcie_gbs"): "half of NVLink-C2C to Grace",
    ("gb300", "inter_gbs"): "NVLink of the rack, which is `rack_bandwidth`",
    ("gb300", "pcie_gbs"): "half of NVLink-C2C to Grace",
}
"""where our figure is not that of the public list, and why"""


def test_figures_agree_with_the_public_list_but_for_known_exceptions(data_folder: Path) -> None:
    with (data_folder / "hardware" / "gpu_specs_from_aiconfigurator.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert rows
    apart = set()
    for row in rows:
        device = find_device(row["name"])
        assert device is not None
        for column, (name, unit) in LISTED.items():
            figure, listed = device.figures.get(name), float(row[column])
            if (figure is None) != (listed == 0) or (figure and abs(figure.value / unit / listed - 1) > 0.1):
                apart.add((row["name"], column))
    assert apart == set(DIFFERENT)


@pytest.mark.parametrize(
    ("id", "operations"),
    [
        ("a100-sxm", 2048),
        ("a30", 2048),
        ("a40", 1024),
        ("h100-sxm", 4096),
        ("h100-pcie", 4096),
        ("h200-sxm", 4096),
        ("gh200", 4096),
        ("l4", 1024),
        ("l40s", 1024),
        ("rtx-4090", 512),
        ("rtx-pro-6000-server", 1024),
        ("b200-sxm", 8192),
        ("gb200", 8192),
        ("mi300x", 2048),
        ("mi355x", 4096),
        ("b60", 2048),
        ("tpu-v5e", 4 * 2 * 128**2),
        ("tpu-v5p", 4 * 2 * 128**2),
    ],
)
def test_dense_rates_are_what_the_units_can_do(id: str, operations: int) -> None:
    """`operations` are dense 16-bit FLOP a clock of one multiprocessor, by the architecture's white paper."""
    device = load_devices()[id]
    assert device.multiprocessors is not None
    assert device.clock_hz is not None
    most = device.multiprocessors * device.clock_hz * operations
    assert device.flops_per_s["bf16"] == pytest.approx(most, rel=0.03)


@pytest.mark.parametrize("id", [id for id, device in load_devices().items() if device.kind != "cpu"])
def test_levels_get_faster_towards_arithmetic_and_are_smaller_than_the_memory(id: str) -> None:
    levels = load_devices()[id].levels
    assert levels[0].name == "memory"
    for far, near in itertools.pairwise(levels):  # all the shared memory of an A40 is more than its cache
        assert near.bytes < levels[0].bytes
        if near.bandwidth_bytes_per_s and far.bandwidth_bytes_per_s:
            assert near.bandwidth_bytes_per_s > far.bandwidth_bytes_per_s


def test_there_are_the_devices_that_people_ask_for() -> None:
    names = """a40 a100-sxm l4 l40s h100-sxm h100-pcie h100-nvl h200 gh200 b200 b300 gb200 gb300 rtx-pro-6000 rtx-4090
        mi300x mi325x mi355x gaudi3 arc-pro-b60 tpu-v5e tpu-v5p tpu-v6e tpu-v7 trainium2 ascend-910c hexagon ethos-u
        m4-max xeon epyc grace graviton"""
    assert [name for name in names.split() if find_device(name) is None] == []
