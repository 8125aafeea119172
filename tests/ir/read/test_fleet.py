"""fleet.yaml to a `FleetSpec`: base units, counts, prices, links and site."""

from __future__ import annotations

from pathlib import Path

import pytest

from dovetail.ir.diagnostics import InputError
from dovetail.ir.fleet import DeviceSpec, FleetSpec, LinkSpec, PriceSpec, SiteSpec
from dovetail.ir.read.fleet import parse_fleet, read_fleet
from dovetail.ir.read.yaml import parse_yaml


def spec(text: str) -> FleetSpec:
    return parse_fleet(parse_yaml(text, "fleet.yaml").value).spec


def device(text: str) -> DeviceSpec:
    return spec(f"devices: {{d: {text}}}").devices[0]


@pytest.mark.parametrize(
    ("text", "least", "most", "owned"),
    [
        ("{}", 0, None, 0),
        ("{count: 4}", 0, 4, 0),
        ("{count: 2..8}", 2, 8, 0),
        ("{owned: 16}", 0, 16, 16),
        ("{owned: 4, count: 0..16}", 0, 16, 4),
    ],
)
def test_counts(text: str, least: int, most: int | None, owned: int) -> None:
    made = device(text)
    assert (made.min_count, made.max_count, made.owned) == (least, most, owned)


def test_a_device_of_ones_own() -> None:
    made = device(
        "{kind: npu, memory: 16 GB, bandwidth: 819 GB/s, flops: {bf16: 197 TFLOP/s}, scratchpad: 128 MiB, idle: 60 W,"
        " tdp: 200 W, cores: 2, chassis: 8, sold_by: chassis, region: eu, rack: r1, cold_start: 40 s, recovery: 2 min}"
    )
    assert (made.memory_bytes, made.bandwidth_bytes_per_s, dict(made.flops_per_s)) == (16e9, 819e9, {"bf16": 197e12})
    assert (made.scratchpad_bytes, made.idle_w, made.tdp_w, made.cores) == (2**27, 60.0, 200.0, 2)
    assert (made.chassis, made.sold_by_chassis, made.region, made.rack) == (8, True, "eu", "r1")
    assert (made.cold_start_s, made.recovery_s) == (40.0, 120.0)


def test_prices() -> None:
    bought = device("{price: {capex: 25000 USD, life: 4 years, interest: 8 %, accounting: interest_only}}").price
    assert bought == PriceSpec(capex_usd=25000.0, life_years=4.0, interest=0.08, accounting="interest_only")
    rented = device("{price: {rent: 2.50 USD/h, energy: extra}}").price
    assert rented == PriceSpec(rent_usd_per_hour=2.5, energy_extra=True)


def test_a_hosted_api() -> None:
    made = device(
        "{kind: api, models: [a, b], price: {input: 0.6 USD/Mtok, output: 0.8 USD/Mtok}, ttft: 400 ms, tbt: 15 ms}"
    )
    assert made.kind == "api"
    assert made.api_models == ("a", "b")
    assert made.price == PriceSpec(input_usd_per_token=6e-7, output_usd_per_token=8e-7)
    assert (made.ttft_s, made.tbt_s) == (0.4, 0.015)


def test_an_api_alone_is_a_fleet() -> None:
    """An API has no count, so a fleet of nothing else is not empty."""
    assert (
        device("{kind: api, models: m, price: {input: 0 USD/Mtok, output: 0 USD/Mtok}, ttft: 1 s, tbt: 1 s}").name
        == "d"
    )


def test_links_and_site() -> None:
    made = spec(
        "devices: {a: {}, b: {}}\nlinks:\n  - {within: a, kind: nvlink}\n"
        "  - {between: [a, b], bandwidth: 400 Gbit/s, latency: 10 us}\n"
        "site: {electricity: 0.40 USD/kWh, pue: 1.1, carbon: 400 gCO2/kWh, network: {bandwidth: 10 Gbit/s}}\n"
        "limits: {power: 100 kW, usd_per_hour: 100}\nsurvive: {replicas: 0}\n"
    )
    assert made.links == (
        LinkSpec(within="a", kind="nvlink"),
        LinkSpec(between=("a", "b"), bandwidth_bytes_per_s=50e9, latency_s=1e-5),
    )
    assert made.site == SiteSpec(0.4, 1.1, 400.0, 1.25e9, 100e-6)
    assert dict(made.limits) == {"power_w": 100e3, "usd_per_hour": 100.0}


def test_the_usual_site() -> None:
    assert spec("devices: {a: {}}").site == SiteSpec()


def test_hashes_and_places(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text("devices:\n  a: {count: 4}\n")
    read = read_fleet(file)
    assert str(read.sources.value(("devices", "a", "count"))) == f"{file}:2:14"
    assert read.sha256 != parse_fleet(read.document).sha256
    reordered = {"devices": {"a": {"count": 4}}}
    assert parse_fleet(reordered).sha256 == parse_fleet(read.document).sha256


def test_a_document_without_text_still_says_what_is_wrong() -> None:
    with pytest.raises(InputError, match=r"`devices.a.memory`: `80` has no unit"):
        parse_fleet({"devices": {"a": {"memory": 80}}}, "plan.json")


def test_reading_leaves_the_document_as_it_is() -> None:
    document = {"devices": {"a": {"price": {"rent": "2 USD/h"}}}}
    read = parse_fleet(document)
    assert read.document == document
    assert read.document is not document
