"""Power and energy of devices. Equations are numbered as in `docs/math/energy.md`."""

from __future__ import annotations

from ..ir.units import HOUR_S, JOULES_PER_KWH
from .hardware import Device


def power_w(device: Device, utilisation: float) -> float:
    """[W] of one device busy that share of the time: idle + utilisation x (TDP - idle). Equation (1)."""
    return device.idle_w + utilisation * (device.tdp_w - device.idle_w)


def usd_per_joule(electricity_usd_per_kwh: float, pue: float = 1.0) -> float:
    """[USD/J] at the device, cooling and losses of the site included. Equation (2)."""
    return electricity_usd_per_kwh * pue / JOULES_PER_KWH


def energy_usd_per_hour(device: Device, utilisation: float, electricity_usd_per_kwh: float, pue: float = 1.0) -> float:
    """[USD/h] of electricity for one device. Equation (3)."""
    return power_w(device, utilisation) * HOUR_S * usd_per_joule(electricity_usd_per_kwh, pue)


def energy_above_idle_j(device: Device, busy_s: float, devices: int = 1) -> float:
    """[J] that `devices` take beyond their idle power while they are busy, PUE not included. Equation (4)."""
    return (device.tdp_w - device.idle_w) * busy_s * devices


def carbon_g(energy_j: float, carbon_g_per_kwh: float, pue: float = 1.0) -> float:
    """[g CO2e] of so much energy at the device. Equation (5)."""
    return energy_j * pue / JOULES_PER_KWH * carbon_g_per_kwh
