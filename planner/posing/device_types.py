"""What one device of each kind in the fleet costs by the hour, and the power and carbon that go with it."""

from __future__ import annotations

from ...costmodel.energy import carbon_g, energy_usd_per_hour, usd_per_joule
from ...costmodel.hardware import Device
from ...costmodel.tco import Money, is_rented, money
from ...ir.fleet import DeviceSpec
from ..candidates.setting import Setting
from ..placement.problem import UNLIMITED, DeviceType


def device_type(setting: Setting, spec: DeviceSpec) -> DeviceType:
    """What one device costs by the hour; hosted APIs are paid by token and not counted."""
    if spec.kind == "api":
        return DeviceType(spec.name, 0, 0)
    device, site = setting.devices.get(spec.name), setting.fleet.site_of(spec)
    price = money(spec.price, device) or Money()
    per_joule = idle_usd_per_hour = 0.0
    if device and not energy_in_rent(spec, device):
        if spec.price.accounting == "interest_only":
            # Table 5 of the paper takes the full power all the time, and no PUE: nothing is left to pay by load.
            idle_usd_per_hour = energy_usd_per_hour(device, 1.0, site.electricity_usd_per_kwh)
        else:
            per_joule = usd_per_joule(site.electricity_usd_per_kwh, site.pue)
            idle_usd_per_hour = energy_usd_per_hour(device, 0.0, site.electricity_usd_per_kwh, site.pue)
    return DeviceType(
        spec.name,
        spec.min_count,
        UNLIMITED if spec.max_count is None else max(spec.max_count, spec.owned),
        device.chassis if device and spec.sold_by_chassis and not _is_all_owned(spec) else 1,
        spec.owned,
        price.parts,
        idle_usd_per_hour,
        per_joule,
        device.idle_w if device else 0.0,
        device.tdp_w if device else 0.0,
        spec.rack or "",
        *_drawn(setting, spec, device),
    )


def _drawn(setting: Setting, spec: DeviceSpec, device: Device | None) -> tuple[float, float, float]:
    """Power drawn from the grid by a device that is taken [W], energy for each joule above idle, gCO2 for each joule.

    Where only interest is paid, full power without PUE (Table 5 of arXiv 2507.19635).
    """
    if device is None:
        return 0.0, 0.0, 0.0
    site = setting.fleet.site_of(spec)
    g_per_joule = carbon_g(1.0, site.carbon_g_per_kwh or 0.0)
    if spec.price.accounting == "interest_only":
        return device.tdp_w, 0.0, g_per_joule
    return device.idle_w * site.pue, site.pue, g_per_joule


def energy_in_rent(spec: DeviceSpec, device: Device) -> bool:
    """Whether the rent pays for energy; devices that are all owned have no rent to pay it with."""
    return is_rented(spec.price, device) and not spec.price.energy_extra and not _is_all_owned(spec)


def _is_all_owned(spec: DeviceSpec) -> bool:
    """Whether the fleet has no more devices of this kind than are paid for."""
    return spec.max_count is not None and 0 < spec.max_count <= spec.owned
