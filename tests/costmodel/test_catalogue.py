"""Every number of the catalogue says where it is from, and the devices of a public list are in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dovetail.costmodel.figures import QUALITIES, Figure, marked_values, worst
from dovetail.costmodel.hardware import find_device, load_devices, read_device
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
    assert device.kind == "cpu" or device.link_bandwidth_bytes_per_s > 0


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
