"""Replicas that are left when zones are lost and others fail: equation (42) of `docs/math/placement.md`."""

from __future__ import annotations

from ..problem import Pool


def survivors(g: Pool, n: int) -> int:
    """(42) s(n) = n - (k floor(n / Z) + min(k, n mod Z)) - r: what is left of n replicas, spread evenly over Z zones,
    when the k fullest zones are lost and r more replicas fail; 0 where nothing is."""
    if not g.lost_zones:
        return max(0, n - g.spare)
    each, fuller = divmod(n, g.zones)
    lost = g.lost_zones * each + min(g.lost_zones, fuller)
    return max(0, n - lost - g.spare)


def replicas_for(g: Pool, left: int) -> int | None:
    """The fewest replicas of which `left` survive, at least one; None where no number does: all zones may be lost.

    Z replicas more leave Z - k more, of which the first k are in zones that are lost.
    """
    if not g.lost_zones:
        return left + g.spare
    if g.zones <= g.lost_zones:
        return None
    rounds, more = divmod(left + g.spare - 1, g.zones - g.lost_zones)
    return rounds * g.zones + g.lost_zones + more + 1
