"""fleet.yaml to a `FleetSpec`: what may not stand together, what a device must say, and what links may join."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..diagnostics import Diagnostics, did_you_mean
from ..fleet import DeviceSpec, FleetSpec, LinkSpec, PriceSpec, RackSpec, SiteSpec, TierSpec
from ..ranges import Range
from ..source import SourceFile, SourceMap
from ..units import YEAR_S
from .fields import Reading
from .fleet_schema import FLEET
from .scale import check_scale, scale_of
from .yaml import Document, read_yaml
from .zones import check_zones, zones_of

_API_NEEDS = {
    "models": "the models that it serves",
    "price": "`{input: 0.6 USD/Mtok, output: 0.8 USD/Mtok}`",
    "ttft": "its time to first token",
    "tbt": "its time between tokens",
}
_API_MAY = {"kind", *_API_NEEDS, "region"}
_API_ALONE = ("models", "ttft", "tbt")
_TOKEN_PRICES = ("input", "output")
_WITH_CAPEX = ("life", "interest", "accounting")


@dataclass(frozen=True)
class FleetFile:
    """A fleet that was read: what it means, and what the user wrote."""

    spec: FleetSpec
    document: dict[str, Any]
    """plain values as the user wrote them, aliases expanded; `parse_fleet` reads it again"""
    sources: SourceMap
    sha256: str
    """of the file's bytes; of the document as sorted JSON where it came from no file of its own"""
    ranges: tuple[Range, ...] = ()
    """Figures that are ranges; `spec` has their worst ends."""


@dataclass
class FleetDraft:
    """A fleet half read: faults are noted in `to`, and `plain` has what is right, in base units."""

    document: Document
    plain: dict[str, Any]
    to: Reading

    @property
    def devices(self) -> tuple[str, ...]:
        """Names of all devices, those with faults among them."""
        return tuple(self.plain.get("devices", ()))

    def finish(self) -> FleetFile:
        """The fleet; InputError with all faults, if there is one."""
        self.to.faults.raise_if_errors()
        document, ranges = self.document, tuple(self.to.ranges)
        return FleetFile(_spec(self.plain), document.value, document.sources, document.sha256, ranges)


def read_fleet(path: Path) -> FleetFile:
    """The fleet in the file at `path`; InputError with every fault."""
    return draft_fleet(read_yaml(path)).finish()


def parse_fleet(document: Mapping[str, Any], name: str = "<fleet>") -> FleetFile:
    """The fleet that `document` says, such as one embedded in a plan; `name` stands for the file in messages."""
    return draft_fleet(plain_document(document, name)).finish()


def plain_document(value: Mapping[str, Any], name: str) -> Document:
    """A document that comes from no text of its own: no spans, and the hash of its sorted JSON."""
    written = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str).encode()
    sources = SourceMap(SourceFile(name, ""))
    return Document(copy.deepcopy(dict(value)), sources, hashlib.sha256(written).hexdigest())


def draft_fleet(document: Document) -> FleetDraft:
    """The fleet in `document`, with its faults noted and not raised."""
    to = Reading(document.sources, Diagnostics())
    plain = FLEET.read(document.value, (), to) or {}
    devices = plain.get("devices", {})
    for name, device in devices.items():
        if device is not None:
            if device.get("price") == "spot":
                device["price"] = {"rent": "spot"}
            _check_device(name, device, to)
    if "devices" in plain:
        _check_any_device(plain["devices"], document, to)
        _check_links(document.value.get("links"), plain, to)
        _check_racks(plain, to)
        _check_sites(plain, to)
        check_zones(plain, to)
        check_scale(plain, to)
    return FleetDraft(document, plain, to)


def _check_any_device(devices: Mapping[str, Any], document: Document, to: Reading) -> None:
    """The fleet has a device that a plan may take."""
    help = "add a device, such as `h100: {model: h100-sxm, count: 8}`"
    if not devices:
        to.fault(("devices",), "empty-fleet", "the fleet has no device", help, key=True)
    elif not to.faults.errors and all(_is_none(device) for device in devices.values()):
        message = "the fleet has no device to take: every `count` is 0"
        to.fault(("devices",), "empty-fleet", message, "raise a `count`", key=True)


def _is_none(device: Mapping[str, Any]) -> bool:
    return device.get("kind") != "api" and _counts(device)[1] == 0


def _check_device(name: str, device: Mapping[str, Any], to: Reading) -> None:
    path = ("devices", name)
    if device.get("kind") == "api":
        for key, what in _API_NEEDS.items():
            if key not in device and (*path, key) not in to.sources.keys:
                to.fault(path, "missing-key", f"the hosted API `{name}` needs `{key}`: {what}", key=True)
        for key in device:
            if key not in _API_MAY:
                to.fault((*path, key), "conflict", f"the hosted API `{name}` has no `{key}`", "remove it", key=True)
    else:
        for key in _API_ALONE:
            if key in device:
                message = f"`{key}` is for hosted APIs, and the device `{name}` is none"
                to.fault((*path, key), "conflict", message, f"remove `{key}`, or set `kind: api`", key=True)
    _check_price(name, device, to)
    _check_interruptions(name, device, to)
    if device.get("idle", 0.0) > device.get("tdp", float("inf")):
        to.fault((*path, "idle"), "range", f"the device `{name}` takes more power idle than busy (`idle` over `tdp`)")


def _check_price(name: str, device: Mapping[str, Any], to: Reading) -> None:
    price, path = device.get("price", {}), ("devices", name, "price")
    if device.get("kind") == "api":
        for key in _TOKEN_PRICES:
            if "price" in device and key not in price and (*path, key) not in to.sources.keys:
                to.fault(path, "missing-key", f"the price of the hosted API `{name}` needs `{key}`", key=True)
        wrong = {
            key: f"the price of the hosted API `{name}` has no `{key}`" for key in price if key not in _TOKEN_PRICES
        }
    else:
        wrong = {
            key: f"`{key}` is a price of hosted APIs, and the device `{name}` is none"
            for key in price
            if key in _TOKEN_PRICES
        }
        if "rent" in price:
            clash = [key for key in ("capex", *_WITH_CAPEX) if key in price]
            wrong |= {key: f"the device `{name}` is rented: `{key}` cannot stand beside `rent`" for key in clash}
        elif "energy" in price:
            wrong["energy"] = f"the device `{name}` pays its energy anyway: `energy` goes with `rent`"
    for key, message in wrong.items():
        to.fault((*path, key), "conflict", message, f"remove `{key}`", key=True)


def _check_interruptions(name: str, device: Mapping[str, Any], to: Reading) -> None:
    """Only what is rented is taken back."""
    price, path = device.get("price", {}), ("devices", name, "price")
    if device.get("kind") == "api" or not {"interruptions", "rent"} & price.keys():
        return
    if "interruptions" in price and "rent" not in price:
        message = f"`interruptions` are of rented devices, and the price of `{name}` has no `rent`"
        to.fault((*path, "interruptions"), "conflict", message, "add `rent`, or `rent: spot`", key=True)
    is_taken_back = price.get("interruptions", 0.0) > 0 or price.get("rent") == "spot"
    if is_taken_back and device.get("owned", 0):
        message = f"devices of `{name}` that are owned are not taken back"
        help = "list those that are rented by another name"
        to.fault(("devices", name, "owned"), "conflict", message, help, key=True)
    if price.get("rent") == "spot" and "model" not in device:
        message = f"`spot` is a price of the catalogue, and `{name}` has no `model` of it"
        help = "write the price: `{rent: 1.10 USD/h, interruptions: 0.05 per hour}`"
        to.fault(path, "missing-key", message, help)


def _check_links(written: Any, plain: Mapping[str, Any], to: Reading) -> None:
    """Each link joins known devices, once, and says how fast it is."""
    seen: set[tuple[bool, frozenset[str]]] = set()
    for number, link in enumerate(written if isinstance(written, list) else ()):
        path = ("links", number)
        if not isinstance(link, dict):
            continue
        ends = _ends(link)
        if ("within" in link) == ("between" in link):
            to.fault(path, "link", f"`links[{number}]` needs one of `within` and `between`")
            continue
        for at, end in ends:
            regional = [*plain.get("sites", {}), *zones_of(plain)] if at[0] == "between" else []
            known = [*plain["devices"], *regional]
            if end not in known:
                help = did_you_mean(end, known) or f"the devices are {', '.join(plain['devices'])}"
                to.fault((*path, *at), "unknown-device", f"`links[{number}]` names `{end}`, which is no device", help)
        names = [end for _, end in ends]
        if "between" in link and len(names) != 2:
            continue
        joined = ("between" in link, frozenset(names))  # between replicas of one device is not within its chassis
        if names and joined in seen:
            to.fault(path, "link", f"`links[{number}]`: the link of {' and '.join(names)} stands twice")
        elif "bandwidth" not in link and ("between" in link or "kind" not in link):
            to.fault(path, "missing-key", f"`links[{number}]` needs `bandwidth`, such as `400 Gbit/s`")
        seen.add(joined)


def _check_racks(plain: Mapping[str, Any], to: Reading) -> None:
    """Devices stand in racks of the fleet, and every rack has some."""
    racks = plain.get("racks", {})
    named = {name: device["rack"] for name, device in plain["devices"].items() if device and "rack" in device}
    for name, rack in named.items():
        if racks and rack not in racks:
            help = did_you_mean(rack, racks) or f"the racks are {', '.join(racks)}"
            message = f"the device `{name}` stands in `{rack}`, which is no rack"
            to.fault(("devices", name, "rack"), "unknown-rack", message, help)
    for rack in racks:
        if rack not in named.values():
            message = f"no device stands in the rack `{rack}`"
            to.fault(("racks", rack), "unknown-rack", message, f"write `rack: {rack}` under a device", key=True)


def _check_sites(plain: Mapping[str, Any], to: Reading) -> None:
    """Devices stand in regions of the fleet, every region has some, and none is called as a device is."""
    sites, devices = plain.get("sites", {}), plain["devices"]
    named = {name: device["region"] for name, device in devices.items() if device and "region" in device}
    for name, region in named.items():
        if sites and region not in sites:
            help = did_you_mean(region, sites) or f"the regions are {', '.join(sites)}"
            message = f"the device `{name}` stands in `{region}`, which is not under `sites`"
            to.fault(("devices", name, "region"), "unknown-region", message, help)
    for region in sites:
        if region in devices:
            to.fault(("sites", region), "name", f"`{region}` is the name of a device and of a region", key=True)
        elif region not in named.values():
            message = f"no device stands in the region `{region}`"
            to.fault(("sites", region), "unknown-region", message, f"write `region: {region}` under a device", key=True)


def _ends(link: Mapping[str, Any]) -> list[tuple[tuple[str | int, ...], str]]:
    """The devices that a link names, each with the way to it."""
    between = link.get("between")
    found: list[tuple[tuple[str | int, ...], Any]] = [(("within",), link.get("within"))]
    found += [(("between", number), end) for number, end in enumerate(between if isinstance(between, list) else ())]
    return [(at, end) for at, end in found if isinstance(end, str)]


def _spec(plain: Mapping[str, Any]) -> FleetSpec:
    limits, usual = plain.get("limits", {}), _site(plain.get("site", {}), SiteSpec())
    named = {"power_w": limits.get("power"), "usd_per_hour": limits.get("usd_per_hour")}
    named |= {"energy_j_per_request": limits.get("energy_per_request")}
    named |= {"gco2_per_request": limits.get("carbon_per_request")}
    return FleetSpec(
        devices=tuple(_device(name, device) for name, device in plain["devices"].items()),
        links=tuple(_links(plain)),
        site=usual,
        limits=MappingProxyType({name: bound for name, bound in named.items() if bound is not None}),
        sites=MappingProxyType({region: _site(own or {}, usual) for region, own in plain.get("sites", {}).items()}),
        racks=tuple(
            RackSpec(name, rack["power"], rack.get("exceed", 0.0)) for name, rack in plain.get("racks", {}).items()
        ),
        spare_replicas=plain.get("survive", {}).get("replicas", 0),
        lost_zones=plain.get("survive", {}).get("zone", 0),
    )


def _device(name: str, device: Mapping[str, Any]) -> DeviceSpec:
    least, most = _counts(device)
    return DeviceSpec(
        name=name,
        model=device.get("model"),
        kind=device.get("kind"),
        min_count=least,
        max_count=most,
        owned=device.get("owned", 0),
        price=_price(device.get("price", {})),
        memory_bytes=device.get("memory"),
        bandwidth_bytes_per_s=device.get("bandwidth"),
        flops_per_s=MappingProxyType(device.get("flops", {})),
        scratchpad_bytes=device.get("scratchpad"),
        scratchpad_bandwidth_bytes_per_s=device.get("scratchpad_bandwidth"),
        cache_bytes=device.get("cache"),
        cache_bandwidth_bytes_per_s=device.get("cache_bandwidth"),
        multiprocessors=device.get("multiprocessors"),
        clock_hz=device.get("clock"),
        block_memory_bytes=device.get("block_memory"),
        thread_registers=device.get("thread_registers"),
        cores=device.get("cores"),
        idle_w=device.get("idle"),
        tdp_w=device.get("tdp"),
        chassis=device.get("chassis"),
        rack_devices=device.get("rack_devices"),
        rack_bandwidth_bytes_per_s=device.get("rack_bandwidth"),
        network_bandwidth_bytes_per_s=device.get("network_bandwidth"),
        host_bandwidth_bytes_per_s=device.get("host_bandwidth"),
        sold_by_chassis=device.get("sold_by") == "chassis",
        region=device.get("region"),
        rack=device.get("rack"),
        zones=tuple(device.get("zones", ())) or ((device["zone"],) if "zone" in device else ()),
        cold_start_s=device.get("cold_start"),
        recovery_s=device.get("recovery"),
        tiers=tuple(TierSpec(tier, it["size"], it.get("bandwidth")) for tier, it in device.get("tiers", {}).items()),
        splits=tuple(dict.fromkeys(round(share, 4) for share in device.get("split", ()))),
        scale=scale_of(device),
        api_models=tuple(device.get("models", ())),
        ttft_s=device.get("ttft"),
        tbt_s=device.get("tbt"),
    )


def _counts(device: Mapping[str, Any]) -> tuple[int, int | None]:
    """Fewest and most devices; those owned are all there are where no `count` allows more."""
    if "count" in device:
        return device["count"]
    return 0, device.get("owned")


def _price(price: Mapping[str, Any]) -> PriceSpec:
    return PriceSpec(
        capex_usd=price.get("capex"),
        life_years=price["life"] / YEAR_S if "life" in price else None,
        interest=price.get("interest"),
        accounting=price.get("accounting", "annuity"),
        rent_usd_per_hour=None if price.get("rent") == "spot" else price.get("rent"),
        energy_extra=price.get("energy") == "extra",
        is_spot=price.get("rent") == "spot",
        interruptions_per_hour=price.get("interruptions"),
        input_usd_per_token=price.get("input"),
        output_usd_per_token=price.get("output"),
    )


def _links(plain: Mapping[str, Any]) -> Iterator[LinkSpec]:
    for link in plain.get("links", ()):
        between = link.get("between")
        yield LinkSpec(
            link.get("within"),
            (between[0], between[1]) if between else None,
            link.get("kind"),
            link.get("bandwidth"),
            link.get("latency"),
        )


def _site(site: Mapping[str, Any], usual: SiteSpec) -> SiteSpec:
    network = site.get("network", {})
    return SiteSpec(
        site.get("electricity", usual.electricity_usd_per_kwh),
        site.get("pue", usual.pue),
        site.get("carbon", usual.carbon_g_per_kwh),
        network.get("bandwidth", usual.network_bandwidth_bytes_per_s),
        network.get("latency", usual.network_latency_s),
    )
