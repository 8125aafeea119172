"""Power and energy of devices. Equations are numbered as in `docs/math/energy.md`."""

from __future__ import annotations

from ..ir.units import HOUR_S, JOULES_PER_KWH
from .cost import Cost
from .hardware import Device
from .roofline import time_s

JOULES_PER_BYTE = 147e-12
"""[J] to bring a byte from memory through both caches to the registers: 19.41 pJ/bit on an A100, 18.00 on a GH200,
18.00 on an MI250X, 18.22 on an MI300A; their mean (measured; Antepara et al., SC 2025, doi 10.1145/3712285.3759815).
On devices without stacked memory a guess."""


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


def working_power_w(device: Device, work: Cost, precision: str, elapsed_s: float) -> float:
    """[W] of one device while it does `work` in `elapsed_s`, which may hold waits besides. Equation (6).

    At the rate that products reach the arithmetic takes all between idle and the TDP (guess: cards are clocked down
    to their limit there), bytes take `JOULES_PER_BYTE`, and the card's own control keeps the sum at the TDP: prompts
    draw that much, tokens that are bound by memory less. Peaks shorter than that control are not in it.
    """
    arithmetic_s = min(elapsed_s, time_s(Cost(work.flops), device, precision))
    arithmetic_w = (device.tdp_w - device.idle_w) * arithmetic_s / elapsed_s
    memory_w = JOULES_PER_BYTE * work.moved_bytes / elapsed_s
    return min(device.tdp_w, device.idle_w + arithmetic_w + memory_w)


def metered_j(mean_power_w: float, busy_s: float, devices: float = 1, pue: float = 1.0) -> float:
    """[J] that the site takes for `devices` of that mean power, each with its share of the server. Equation (7)."""
    return mean_power_w * busy_s * devices * pue


def server_power_w(device_power_w: float, devices: int, rest_w: float) -> float:
    """[W] of a server: its devices, and what its processors, network cards, switches and fans take. Equation (8)."""
    return device_power_w * devices + rest_w
