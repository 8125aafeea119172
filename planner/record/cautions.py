"""What the user should know about a plan that is otherwise sound."""

from __future__ import annotations

from collections.abc import Iterator

from ...costmodel.interruptions import RECOVERY_S, interruptions_per_hour
from ...costmodel.serving.engine_share import MOST_SHARE, needed_share
from ...ir.wording import time
from ..placement.model.memory import memory_bytes
from ..posing.device_types import energy_in_rent
from .pools import scale_of
from .solved import Solved

PRICES = ("list_price", "rent")
"""Figures of the catalogue that `_prices` speaks of where they are used."""
UNREAD = frozenset(
    f"{what}{part}"
    for what in ("cache", "scratchpad", "rack", "network", "host")
    for part in ("", "_bandwidth", "_devices")
) | {"clock", "multiprocessors", "spot", "interruptions"}
"""Figures that no price or time of a plan comes from."""


def cautions(solved: Solved) -> list[str]:
    """One sentence each, in a fixed order."""
    found = [
        *_unlisted_links(solved),
        *_idle_apis(solved),
        *_prices(solved),
        *_energy(solved),
        *_interruptions(solved),
        *_splits(solved),
        *_tiers(solved),
        *_full_memory(solved),
        *_idle_pools(solved),
    ]
    return [*found, *_guesses(solved)]


def _idle_pools(solved: Solved) -> Iterator[str]:
    """Pools that go down, and who waits for them."""
    for number, pool in solved.pools.items():
        if pool.goes_down:
            cold = scale_of(pool, solved.inside(pool))["scale"]["cold"]
            wait = f"{100 * cold:.2g} % of its visits wait for a start of up to {time(pool.start_s)}"
            paid = f"it is paid for {100 * pool.billed:.2g} % of the time"
            yield f"pool {number} goes down after {time(pool.keep_alive_s)} without a visit: {wait}, and {paid}"


def _unlisted_links(solved: Solved) -> Iterator[str]:
    """Transfers that use the site's network because the fleet lists no link."""
    pools = {pool.id: pool.device for pool in solved.problem.pools}
    pairs = {
        tuple(sorted(pools[solved.chosen[piece].pool] for piece in (t.from_piece, t.to_piece)))
        for t in solved.result.transfers
        if t.bytes
    }
    specs = {spec.name: spec for spec in solved.fleet.devices}
    for one, other in sorted(pairs):
        if None in solved.fleet.links_between(one, other):
            gbit_per_s = solved.fleet.site_of(specs[one]).network_bandwidth_bytes_per_s * 8 / 1e9
            where = f"between `{one}` and `{other}`" if one != other else f"between replicas of `{one}`"
            yield f"no link {where} is listed: the site's network of {gbit_per_s:g} Gbit/s is assumed"


def _idle_apis(solved: Solved) -> Iterator[str]:
    """Hosted APIs that serve no model of the graph: often a name that is misspelt."""
    pools = {pool.device for pool in solved.problem.pools}
    for spec in solved.fleet.devices:
        if spec.kind == "api" and spec.name not in pools:
            yield f"`{spec.name}` serves no model of the graph ({', '.join(f'`{m}`' for m in spec.api_models)})"


def _prices(solved: Solved) -> Iterator[str]:
    """Devices whose price is not the user's."""
    for spec in solved.fleet.devices:
        device, taken = solved.devices.get(spec.name), solved.result.devices.get(spec.name, 0)
        price = spec.price
        written = price.is_spot or price.rent_usd_per_hour is not None or price.capex_usd is not None
        if device is None or written or taken <= spec.owned:
            continue
        if device.list_price_usd is None:
            yield f"`{spec.name}` has no price in the fleet: the catalogue's rent, {device.rent_usd_per_hour:g} USD/h"
        else:
            yield f"`{spec.name}` has no price in the fleet: the catalogue's list price, {device.list_price_usd:g} USD"


def _energy(solved: Solved) -> Iterator[str]:
    """Devices in use whose energy costs nothing because no price of electricity is given."""
    used = {pool.device for pool in solved.pools.values()}
    free = [
        f"`{spec.name}`"
        for spec in solved.fleet.devices
        if spec.name in used
        and spec.name in solved.devices
        and not energy_in_rent(spec, solved.devices[spec.name])
        and not solved.fleet.site_of(spec).electricity_usd_per_kwh
    ]
    if free:
        yield f"the fleet says no price of electricity: the energy of {', '.join(free)} costs nothing"


def _interruptions(solved: Solved) -> Iterator[str]:
    """Devices in use that may be taken back, where the fleet does not say for how long."""
    for spec in solved.fleet.devices:
        device, used = solved.devices.get(spec.name), {pool.device for pool in solved.pools.values()}
        if spec.name in used and spec.recovery_s is None and interruptions_per_hour(spec, device):
            yield f"`{spec.name}` may be taken back: another is assumed to be there after {time(RECOVERY_S)}, a guess"


def _splits(solved: Solved) -> Iterator[str]:
    """Pools whose phases run at once on parts of a device, which few engines can."""
    split = [number for number, pool in solved.pools.items() if pool.split is not None]
    if split:
        which = f"pool{'s' if len(split) > 1 else ''} {', '.join(f'`{number}`' for number in split)}"
        yield (
            f"{which}: prefill and decode at once on parts of the multiprocessors, for which vLLM has no option "
            "(semi-PD and Nexus are such engines); how they share the memory's bandwidth is a guess"
        )


def _tiers(solved: Solved) -> Iterator[str]:
    """Pools with caches or weights beyond their devices' memory."""
    for number, pool in solved.pools.items():
        shares = zip(("weights", "caches"), pool.tier_shares, strict=True)
        parts = [f"{100 * share:.3g} % of the {what}" for what, share in shares if share]
        if pool.tier:
            lacking = "; vLLM has no option that streams caches of running requests" if pool.tier_shares[1] else ""
            yield f"pool `{number}`: {' and '.join(parts)} in `{pool.tier}`, taken to stream without a gap{lacking}"


def _full_memory(solved: Solved) -> Iterator[str]:
    """Pools of language models that fill more of their devices' memory than engines can be given."""
    pieces = {piece.id: piece for piece in solved.problem.pieces}
    for number, pool in solved.pools.items():
        device, inside = solved.devices.get(pool.device), solved.inside(pool)
        if device is None or device.kind == "cpu" or all(pieces[option.piece].part == "run" for option in inside):
            continue
        need = needed_share(memory_bytes(pieces, inside), device.memory_bytes)
        if need > MOST_SHARE:
            yield (
                f"pool `{number}` needs {100 * need:.0f} % of the memory of each `{pool.device}`, with room for the "
                f"engine; vLLM can be given {100 * MOST_SHARE:.0f} % and may hold fewer requests at once than planned"
            )


def _guesses(solved: Solved) -> Iterator[str]:
    """Devices in use of which a figure is a guess."""
    for spec in solved.fleet.devices:
        device = solved.devices.get(spec.name)
        if device is None or spec.name not in {pool.device for pool in solved.pools.values()}:
            continue
        guesses = {name for name, mark in device.quality.items() if mark == "guess"}
        guessed = sorted(guesses.difference(PRICES, UNREAD))
        if guessed:
            which = ", ".join(f"`{name}`" for name in guessed)
            yield f"of `{spec.name}`, {which} {'is a guess' if len(guessed) == 1 else 'are guesses'}"
