"""A fleet as the user wrote it: devices, links and site, before the catalogue fills what is left out.

Base units throughout; None says "not written". `costmodel/hardware.py` resolves it against the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_EMPTY: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class PriceSpec:
    """What a device costs; either `capex_usd` or `rent_usd_per_hour`, or per-token prices for an API."""

    capex_usd: float | None = None
    life_years: float | None = None
    interest: float | None = None
    """per year, as a fraction"""
    accounting: str = "annuity"
    """`annuity` or `interest_only`"""
    rent_usd_per_hour: float | None = None
    energy_extra: bool = False
    """rent does not include energy"""
    is_spot: bool = False
    """the rent is the catalogue's for a device that may be taken back"""
    interruptions_per_hour: float | None = None
    """how often one device is taken back"""
    input_usd_per_token: float | None = None
    output_usd_per_token: float | None = None


@dataclass(frozen=True)
class ScaleSpec:
    """When pools of a rented device may be given back."""

    min_replicas: int = 0
    """0: all of a pool may go down; 1: none does"""
    keep_alive_s: tuple[float, ...] = ()
    """times without a visit after which a pool goes down, to choose from"""


@dataclass(frozen=True)
class TierSpec:
    """Memory beyond a device's own, as one device has it."""

    name: str
    """`dram`, `cxl` or `nvme`"""
    bytes: float
    bandwidth_bytes_per_s: float | None = None
    """in one direction; of `dram` the catalogue may know it"""


@dataclass(frozen=True)
class DeviceSpec:
    """One entry under `devices:`."""

    name: str
    model: str | None = None
    """catalogue id"""
    kind: str | None = None
    """`gpu`, `npu`, `cpu` or `api`"""
    min_count: int = 0
    max_count: int | None = None
    """None: as many as wanted"""
    owned: int = 0
    price: PriceSpec = PriceSpec()
    memory_bytes: float | None = None
    bandwidth_bytes_per_s: float | None = None
    flops_per_s: Mapping[str, float] = field(default_factory=lambda: _EMPTY)
    """dense rate by dtype"""
    scratchpad_bytes: float | None = None
    scratchpad_bandwidth_bytes_per_s: float | None = None
    cache_bytes: float | None = None
    """of the last level"""
    cache_bandwidth_bytes_per_s: float | None = None
    multiprocessors: int | None = None
    """SMs, compute units or cores that take tiles of a kernel"""
    clock_hz: float | None = None
    block_memory_bytes: float | None = None
    thread_registers: int | None = None
    cores: int | None = None
    idle_w: float | None = None
    tdp_w: float | None = None
    chassis: int | None = None
    rack_devices: int | None = None
    """devices that the rack's own links join"""
    rack_bandwidth_bytes_per_s: float | None = None
    network_bandwidth_bytes_per_s: float | None = None
    host_bandwidth_bytes_per_s: float | None = None
    sold_by_chassis: bool = False
    region: str | None = None
    rack: str | None = None
    zones: tuple[str, ...] = ()
    """parts of the site that fail each by itself, over which replicas are spread; empty: one, of its own"""
    cold_start_s: float | None = None
    recovery_s: float | None = None
    splits: tuple[float, ...] = ()
    """shares of a device that prefill may have while decode runs on the rest"""
    scale: ScaleSpec = ScaleSpec(min_replicas=1)
    tiers: tuple[TierSpec, ...] = ()
    api_models: tuple[str, ...] = ()
    ttft_s: float | None = None
    tbt_s: float | None = None


@dataclass(frozen=True)
class LinkSpec:
    """A link inside one chassis of a device (`within`), or between two devices (`between`)."""

    within: str | None = None
    between: tuple[str, str] | None = None
    kind: str | None = None
    """such as `nvlink` or `pcie5`; the catalogue's `link` figure of the device when within"""
    bandwidth_bytes_per_s: float | None = None
    latency_s: float | None = None


@dataclass(frozen=True)
class SiteSpec:
    """Electricity, cooling, carbon and the network that links not listed use."""

    electricity_usd_per_kwh: float = 0.0
    pue: float = 1.0
    carbon_g_per_kwh: float | None = None
    network_bandwidth_bytes_per_s: float = 25e9 / 8
    network_latency_s: float = 100e-6


@dataclass(frozen=True)
class RackSpec:
    """One entry under `racks:`."""

    name: str
    power_w: float
    exceed: float = 0.0
    """share of the time that its devices may draw more"""


@dataclass(frozen=True)
class FleetSpec:
    """The whole fleet, in file order."""

    devices: tuple[DeviceSpec, ...]
    links: tuple[LinkSpec, ...] = ()
    site: SiteSpec = SiteSpec()
    limits: Mapping[str, float] = field(default_factory=lambda: _EMPTY)
    """`power_w`, `usd_per_hour`, `energy_j_per_request`, `gco2_per_request` where given"""
    spare_replicas: int = 0
    """so many replicas of every pool may fail at once, and the rest keep all bounds"""
    lost_zones: int = 0
    """so many zones may be lost at once, beside those replicas, and what is left keeps all bounds"""
    racks: tuple[RackSpec, ...] = ()
    sites: Mapping[str, SiteSpec] = field(default_factory=lambda: MappingProxyType({}))
    """by region; devices of no region, or of one that is not here, stand at `site`"""

    def site_of(self, device: DeviceSpec) -> SiteSpec:
        """Where a device stands."""
        return self.sites.get(device.region or "", self.site)

    def are_apart(self, one: str, other: str) -> bool:
        """Whether two devices, by name, stand in different regions, so that only a link that is written joins them."""
        regions = {d.name: d.region for d in self.devices if d.region in self.sites}
        return one in regions and other in regions and regions[one] != regions[other]

    def link_between(self, one: str, other: str) -> LinkSpec | None:
        """The link written between two devices, or else between their regions, in either direction."""
        regions = {d.name: d.region for d in self.devices if d.region in self.sites}
        pairs = [{one, other}]
        if self.are_apart(one, other):
            pairs.append({regions[one] or "", regions[other] or ""})
        between = [link for link in self.links if link.between is not None]
        return next((link for pair in pairs for link in between if set(link.between or ()) == pair), None)

    def links_between(self, one: str, other: str) -> list[LinkSpec | None]:
        """The links that data from one device to another may cross; None: the network of the site.

        One that is written between the devices is the only one. Else replicas may stand in any of their device's
        zones, and two zones with a link written between them are joined by it.
        """
        usual = self.link_between(one, other)
        zones = {d.name: d.zones or ("",) for d in self.devices}
        if usual is not None and {one, other} == set(usual.between or ()):
            return [usual]
        crossed = [self._link_of_zones(a, b) or usual for a in zones[one] for b in zones[other]]
        return list(dict.fromkeys(crossed))

    def _link_of_zones(self, one: str, other: str) -> LinkSpec | None:
        return next((link for link in self.links if one != other and set(link.between or ()) == {one, other}), None)

    @property
    def is_carbon_known(self) -> bool:
        """Whether the carbon of all electricity is stated."""
        if not self.sites:
            return self.site.carbon_g_per_kwh is not None
        return all(self.site_of(d).carbon_g_per_kwh is not None for d in self.devices if d.kind != "api")
