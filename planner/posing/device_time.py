"""What a request costs in time of devices, where no rate says how many of them are held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...ir.units import HOUR_S
from ..placement.problem import DeviceType, Option, Pool


def device_time_usd(device: DeviceType, pool: Pool, option: Option) -> dict[str, float]:
    """Part of the cost -> USD of one request for the time that `option` keeps the devices of a replica.

    load x devices x price per hour, and the energy of that time. Devices that are all owned cost their energy alone.
    """
    if not pool.capacity:
        return {}
    hours = option.load * pool.devices_per_replica / HOUR_S
    is_owned = 0 < device.max_count <= device.owned
    parts = {part: usd * hours for part, usd in device.usd_per_hour if not is_owned}
    return {**parts, "energy": device.idle_usd_per_hour * hours + option.energy_j_per_request * device.usd_per_joule}


def with_device_time(
    options: Sequence[Option], pools: Sequence[Pool], devices: Sequence[DeviceType]
) -> tuple[Option, ...]:
    """The options with the time of their devices in the price of a request."""
    types, by_id = {device.name: device for device in devices}, {pool.id: pool for pool in pools}

    def priced(option: Option) -> Option:
        pool = by_id[option.pool]
        held = sum(device_time_usd(types[pool.device], pool, option).values())
        return replace(option, usd_per_request=option.usd_per_request + held) if held else option

    return tuple(priced(option) for option in options)
