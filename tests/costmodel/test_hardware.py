"""A fleet's devices resolved against the catalogue."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from dovetail.costmodel.hardware import IDLE_SHARE_OF_TDP, USER, Device, Unresolved, find_device, resolve
from dovetail.ir.fleet import DeviceSpec, LinkSpec, PriceSpec
from dovetail.ir.read.fleet import parse_fleet

RENTED = PriceSpec(rent_usd_per_hour=1.0)
NPU = DeviceSpec(
    "npu0",
    kind="npu",
    memory_bytes=16e9,
    bandwidth_bytes_per_s=819e9,
    flops_per_s=MappingProxyType({"bf16": 197e12}),
    price=RENTED,
)


def resolved(spec: DeviceSpec, *links: LinkSpec) -> Device:
    device = resolve(spec, links)
    assert isinstance(device, Device)
    return device


def refused(spec: DeviceSpec) -> Unresolved:
    fault = resolve(spec)
    assert isinstance(fault, Unresolved)
    return fault


def test_a_catalogue_device_comes_as_it_is() -> None:
    assert resolved(DeviceSpec("mine", model="H100_SXM")) == find_device("h100-sxm")


def test_the_fleet_goes_before_the_catalogue() -> None:
    device = resolved(DeviceSpec("mine", model="h100", memory_bytes=94e9, flops_per_s=MappingProxyType({"fp8": 1e15})))
    assert device.memory_bytes == 94e9
    assert device.flops_per_s["fp8"] == 1e15
    assert device.flops_per_s["bf16"] == 989.4e12
    assert device.figures["memory"].source == USER


def test_the_link_within_a_device_goes_before_that_of_its_chassis() -> None:
    links = (LinkSpec(within="other", bandwidth_bytes_per_s=1e9), LinkSpec(within="mine", bandwidth_bytes_per_s=5e10))
    device = resolved(DeviceSpec("mine", model="h100"), *links)
    assert device.link_bandwidth_bytes_per_s == 5e10
    assert device.link_latency_s == pytest.approx(4e-6)


def test_an_unknown_device_is_named_with_the_nearest_known() -> None:
    fault = refused(DeviceSpec("mine", model="h100-sxn"))
    assert (fault.device, fault.id, fault.key) == ("mine", "unknown-device", "model")
    assert fault.message == "`h100-sxn` is no device of the catalogue"
    assert fault.help is not None
    assert "`h100-sxm`" in fault.help


def test_a_device_of_ones_own() -> None:
    device = resolved(NPU)
    assert (device.id, device.kind, device.memory_bytes) == ("npu0", "npu", 16e9)
    assert device.tdp_w == 0
    assert device.quality["tdp"] == "guess"


def test_missing_figures_are_all_named_at_once() -> None:
    fault = refused(DeviceSpec("npu0", kind="npu", price=PriceSpec(capex_usd=1.0)))
    assert fault.id == "missing-figure"
    assert fault.message == "device `npu0` lacks `memory`, `bandwidth`, `tdp`, `flops`"


def test_rates_that_no_device_has_are_refused() -> None:
    """Times would overflow to infinity, and sums of them to no number."""
    fault = refused(DeviceSpec("slow", model="l4", bandwidth_bytes_per_s=1e-290))
    assert (fault.id, fault.key) == ("range", "bandwidth")
    fault = refused(DeviceSpec("slow", model="l4", flops_per_s=MappingProxyType({"bf16": 1e-290})))
    assert (fault.id, fault.key) == ("range", "flops")


def test_a_cpu_needs_cores() -> None:
    fault = refused(DeviceSpec("host", kind="cpu", memory_bytes=1e9, bandwidth_bytes_per_s=1e9, price=RENTED))
    assert fault.message == "device `host` lacks `cores`, `flops`"


def test_power_is_needed_where_energy_is_paid_for() -> None:
    spec = DeviceSpec(
        "npu0",
        kind="npu",
        memory_bytes=1e9,
        bandwidth_bytes_per_s=1e9,
        flops_per_s=MappingProxyType({"bf16": 1e12}),
        price=PriceSpec(rent_usd_per_hour=1.0, energy_extra=True),
    )
    assert refused(spec).message == "device `npu0` lacks `tdp`"


def test_neither_model_nor_kind() -> None:
    fault = refused(DeviceSpec("npu0", memory_bytes=1e9))
    assert fault.help == "set `kind` to gpu, npu, cpu or api"


def test_usual_values_fill_what_is_left_out_and_are_guesses() -> None:
    own = DeviceSpec(
        "g",
        kind="gpu",
        memory_bytes=1e9,
        bandwidth_bytes_per_s=1e9,
        flops_per_s=MappingProxyType({"bf16": 1e12}),
        tdp_w=500.0,
        chassis=4,
    )
    device = resolved(own)
    assert device.idle_w == pytest.approx(IDLE_SHARE_OF_TDP * 500)
    assert device.link_bandwidth_bytes_per_s == 31.5e9
    assert device.quality["idle"] == device.quality["link_bandwidth"] == "guess"


def test_a_hosted_api_has_no_figures() -> None:
    with pytest.raises(ValueError, match="`api` is a hosted API"):
        resolve(DeviceSpec("api", kind="api"))


def test_a_fleet_says_what_kernels_and_far_links_need() -> None:
    text = {
        "kind": "npu",
        "memory": "16 GB",
        "bandwidth": "819 GB/s",
        "flops": {"bf16": "197 TFLOP/s"},
        "price": {"rent": "1 USD/h"},
        "count": 4,
        "multiprocessors": 2,
        "clock": "1.5 GHz",
        "cache": "8 MiB",
        "cache_bandwidth": "9 TB/s",
        "scratchpad": "4 MiB",
        "scratchpad_bandwidth": "18 TB/s",
        "block_memory": "64 KiB",
        "thread_registers": 255,
        "rack_devices": 256,
        "rack_bandwidth": "200 GB/s",
        "network_bandwidth": "25 Gbit/s",
        "host_bandwidth": "16 GB/s",
    }
    (spec,) = parse_fleet({"devices": {"npu0": text}}).spec.devices
    device = resolved(spec)
    assert (device.multiprocessors, device.clock_hz, device.thread_registers) == (2, 1.5e9, 255)
    assert device.levels == (("memory", 16e9, 819e9), ("cache", 2**23, 9e12), ("scratchpad", 2**22, 18e12))
    assert (device.rack_devices, device.rack_bandwidth_bytes_per_s) == (256, 200e9)
    assert (device.network_bandwidth_bytes_per_s, device.host_bandwidth_bytes_per_s) == (3.125e9, 16e9)
    assert device.block_memory_bytes == 2**16
    assert device.figures["clock"].source == USER
