"""Money, energy and carbon of a plan, from its devices, its loads and what its calls cost.

    holding per device-hour   annuity  P a / 8760,  a = i (1+i)^L / ((1+i)^L - 1)   of which P / (8760 L) is capex
                              interest only  P ((1 + i/12)^(12 L) - 1) / (8760 L)
    energy per device-hour    (idle + utilisation (TDP - idle)) PUE price;  TDP price without PUE where interest only

Source: "Efficient and Scalable Agentic AI with Heterogeneous Systems" (arXiv 2507.19635), section 3.1 and Table 5.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf

from ...costmodel.hardware import Device
from ...ir.diagnostics import Diagnostics
from ...ir.fleet import DeviceSpec
from ...ir.units import HOUR_S, HOURS_PER_YEAR, JOULES_PER_KWH
from .close import far
from .load import Load, device_seconds
from .schema import PART_NAMES
from .service import Services
from .structure import devices_taken
from .subject import Subject


@dataclass(frozen=True)
class Bill:
    """What a plan costs: parts in USD/h (USD/request without a rate), power in W, USD/year by device."""

    parts: Mapping[str, float]
    power_w: float
    """with PUE, as money and carbon count it"""
    device_power_w: float
    """without, as the fleet's limit counts it: with all pools up"""
    usd_per_year: Mapping[str, float]
    """by fleet name, energy included"""
    g_per_hour: float
    """carbon of the power, as far as the sites state it"""

    @property
    def total(self) -> float:
        return sum(self.parts.values())


def bill(subject: Subject, services: Services, loads: Mapping[str, Load]) -> Bill:
    """The plan's costs, derived without looking at what it states about them."""
    per_request = services.usd_per_request()
    parts = dict.fromkeys(PART_NAMES, 0.0) | per_request
    if subject.rate is None:
        for part, usd in device_time_usd(subject, services).items():
            parts[part] += usd
        return Bill(parts, 0.0, 0.0, {}, 0.0)
    for name, usd in per_request.items():
        parts[name] = usd * subject.rate * HOUR_S
    by_device, power_w, device_power_w, g_per_hour = {}, 0.0, 0.0, 0.0
    for name, devices in devices_taken(subject).items():
        spec, device = subject.specs[name], subject.devices.get(name)
        back = _given_back(subject, loads, name)
        paid = max(0, devices - spec.owned) - back
        costs = {part: usd * paid for part, usd in holding_usd_per_hour(subject, spec).items()}
        limited_w, site = _power_w(subject, loads, spec, devices), subject.site(name)
        drawn_w = _power_w(subject, loads, spec, devices - back)
        pue = 1.0 if spec.price.accounting == "interest_only" else site.pue
        if not energy_in_rent(spec, device):
            costs["energy"] = drawn_w * pue * site.electricity_usd_per_kwh / 1000
        for part, usd in costs.items():
            parts[part] += usd
        power_w += drawn_w * pue
        g_per_hour += drawn_w * pue / 1000 * (site.carbon_g_per_kwh or 0.0)
        device_power_w += limited_w
        by_device[name] = sum(costs.values()) * HOURS_PER_YEAR
    return Bill(parts, power_w, device_power_w, by_device, g_per_hour)


def device_time_usd(subject: Subject, services: Services, graph: str = "") -> dict[str, float]:
    """Part -> USD of one request for the time it takes of devices, at full power: what is paid for without a rate.

    Of the nodes of one graph, or of all.
    """
    found: dict[str, float] = {}
    for name, (seconds, working_s) in device_seconds(subject, services, graph).items():
        spec, device, site = subject.specs[name], subject.devices.get(name), subject.site(name)
        for part, usd in ({} if is_all_owned(spec) else holding_usd_per_hour(subject, spec)).items():
            found[part] = found.get(part, 0.0) + usd * seconds / HOUR_S
        if device is not None and not energy_in_rent(spec, device):
            pue = 1.0 if spec.price.accounting == "interest_only" else site.pue
            idle_w = device.tdp_w if spec.price.accounting == "interest_only" else device.idle_w
            joules = idle_w * seconds + (device.tdp_w - idle_w) * working_s
            usd = joules * pue * site.electricity_usd_per_kwh / JOULES_PER_KWH
            found["energy"] = found.get("energy", 0.0) + usd
    return found


def holding_usd_per_hour(subject: Subject, spec: DeviceSpec) -> dict[str, float]:
    """Part -> USD per hour of having one device of `spec`, energy apart."""
    price, device = spec.price, subject.devices.get(spec.name)
    rent = _rent_usd_per_hour(spec, device)
    if rent is not None:
        return {"rent": rent}
    capex = price.capex_usd
    if capex is None and device is not None:
        capex = device.list_price_usd
    if not capex:
        return {}
    years = 4.0 if price.life_years is None else price.life_years
    interest = 0.08 if price.interest is None else price.interest
    if price.accounting == "interest_only":
        return {"interest": capex * ((1 + interest / 12) ** (12 * years) - 1) / (HOURS_PER_YEAR * years)}
    growth = (1 + interest) ** years
    annuity = interest * growth / (growth - 1) if interest else 1 / years
    principal = capex / (HOURS_PER_YEAR * years)
    return {"capex": principal, "interest": capex * annuity / HOURS_PER_YEAR - principal}


def _rent_usd_per_hour(spec: DeviceSpec, device: Device | None) -> float | None:
    """The fleet's rent, or the catalogue's (that of spot if asked) where there is no other price; None if bought."""
    if spec.price.is_spot and device is not None:
        return device.spot_usd_per_hour
    if spec.price.rent_usd_per_hour is not None:
        return spec.price.rent_usd_per_hour
    if spec.price.capex_usd is not None or device is None or device.list_price_usd is not None:
        return None
    return device.rent_usd_per_hour


def _given_back(subject: Subject, loads: Mapping[str, Load], name: str) -> float:
    """Devices of one kind that are down with pools that are idle, on average over the time."""
    pools = (pool for pool in subject.pools.values() if pool.device == name)
    return sum((1 - loads[pool.id].idle.up_share) * pool.devices for pool in pools)


def _power_w(subject: Subject, loads: Mapping[str, Load], spec: DeviceSpec, devices: float) -> float:
    """Mean power of `devices` of one kind at the plan's utilisation, PUE not included (interest only: TDP)."""
    device = subject.devices.get(spec.name)
    if device is None:
        return 0.0
    if spec.price.accounting == "interest_only":
        return device.tdp_w * devices
    busy = 0.0
    for pool in subject.pools.values():
        if pool.device == spec.name:
            busy += loads[pool.id].working * pool.replicas * pool.devices_per_replica
    return device.idle_w * devices + busy * (device.tdp_w - device.idle_w)


def energy_in_rent(spec: DeviceSpec, device: Device | None) -> bool:
    """Whether energy is paid with the rent; devices that are all owned pay no rent."""
    return _rent_usd_per_hour(spec, device) is not None and not spec.price.energy_extra and not is_all_owned(spec)


def is_all_owned(spec: DeviceSpec) -> bool:
    """Whether the fleet has no more devices of this kind than are paid for."""
    return spec.max_count is not None and 0 < spec.max_count <= spec.owned


def check_cost(subject: Subject, services: Services, loads: Mapping[str, Load], faults: Diagnostics) -> None:
    """Report `check.cost` and `check.sum` faults, and `check.limit` where the fleet's limits are passed."""
    stated, found = subject.plan["cost"], bill(subject, services, loads)
    for part in PART_NAMES:
        if far(stated["parts"][part], found.parts[part], of=found.total):
            message = f"the plan states {stated['parts'][part]:.6g} for {part}; derived {found.parts[part]:.6g}"
            faults.error("check.cost", message)
    for name, amount in _totals(subject, services, found).items():
        if (stated[name] is None) != (amount is None):
            faults.error("check.cost", f"cost.{name} is {stated[name]}, but {amount} was derived")
        elif amount is not None and far(stated[name], amount):
            faults.error("check.cost", f"the plan states cost.{name} {stated[name]:.6g}; derived {amount:.6g}")
    _check_sums(subject, faults)
    _check_by_device(subject, found, faults)
    _check_energy(subject, found, faults)
    _check_limits(subject, found, faults)


def _totals(subject: Subject, services: Services, found: Bill) -> dict[str, float | None]:
    per_hour = None if subject.rate is None else found.total
    per_request = found.total if subject.rate is None else found.total / (subject.rate * HOUR_S)
    tokens = services.output_tokens_per_request()
    return {
        "usd_per_hour": per_hour,
        "usd_per_request": per_request,
        "usd_per_1k_requests": per_request * 1000,
        "usd_per_year": None if per_hour is None else per_hour * HOURS_PER_YEAR,
        "usd_per_million_output_tokens": per_request / tokens * 1e6 if tokens else None,
    }


def _check_sums(subject: Subject, faults: Diagnostics) -> None:
    stated = subject.plan["cost"]
    whole_name = "usd_per_request" if subject.rate is None else "usd_per_hour"
    parts, whole = sum(stated["parts"][part] for part in PART_NAMES), stated[whole_name]
    if whole is not None and abs(parts - whole) > 1e-6 * max(abs(whole), 1e-9):
        faults.error("check.sum", f"the parts of the cost sum to {parts:.9g}, but cost.{whole_name} is {whole:.9g}")


def _check_by_device(subject: Subject, found: Bill, faults: Diagnostics) -> None:
    for name, entry in subject.plan["fleet"].items():
        derived = found.usd_per_year.get(name)
        stated = entry["usd_per_year"]
        if (stated is None) != (derived is None) or (derived is not None and far(stated, derived)):
            faults.error("check.cost", f"the plan states {stated} USD a year for `{name}`; derived {derived}")


def _check_energy(subject: Subject, found: Bill, faults: Diagnostics) -> None:
    """Null without a rate; no carbon where the site does not say what its electricity emits."""
    joules = None if subject.rate is None else found.power_w / subject.rate
    own = [spec.name for spec in subject.specs.values() if spec.kind != "api"]
    stands = [subject.site(name) for name in own] if subject.fleet.sites else [subject.fleet.site]
    unknown = subject.rate is None or any(site.carbon_g_per_kwh is None for site in stands)
    grams = None if unknown else found.g_per_hour / HOUR_S / (subject.rate or 1.0)
    for name, derived in (("energy_j_per_request", joules), ("gco2_per_request", grams)):
        stated = subject.plan[name]
        if (stated is None) != (derived is None) or (derived is not None and far(stated, derived)):
            faults.error("check.energy", f"the plan states {name} {stated}; derived {derived}")


def _check_limits(subject: Subject, found: Bill, faults: Diagnostics) -> None:
    for message in over_limits(subject, found):
        faults.error("check.limit", message)


def over_limits(subject: Subject, found: Bill) -> Iterator[str]:
    """A sentence for each limit of the fleet that a plan with this bill passes; none without a rate."""
    limits = subject.fleet.limits
    if subject.rate is None:
        return
    if "usd_per_hour" in limits and found.total > limits["usd_per_hour"] * (1 + 1e-6):
        yield f"the plan costs {found.total:.6g} USD/h, over the limit of {limits['usd_per_hour']:g}"
    if "power_w" in limits and found.device_power_w > limits["power_w"] * (1 + 1e-6):
        yield f"the plan draws {found.device_power_w:.6g} W, over the limit of {limits['power_w']:g}"
    joules = found.power_w / subject.rate
    if joules > limits.get("energy_j_per_request", inf) * (1 + 1e-6):
        yield f"a request takes {joules:.6g} J, over the limit of {limits['energy_j_per_request']:g}"
    grams = found.g_per_hour / HOUR_S / subject.rate
    if grams > limits.get("gco2_per_request", inf) * (1 + 1e-6):
        yield f"a request emits {grams:.6g} gCO2, over the limit of {limits['gco2_per_request']:g}"
