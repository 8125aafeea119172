"""What a plan over ranges says of them, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .summary import best, listed
from .wording import constraint, number, share

Json = Mapping[str, Any]


def over_ranges(plan: Json) -> list[str]:
    """Which ranges the plan holds over, and what that costs; empty for a plan without ranges."""
    return list(_sentences(plan["robust"], plan["ranges"])) if "robust" in plan else []


def _sentences(robust: Json, ranges: list[Json]) -> Iterator[str]:
    spans = [
        f"{each['path']} from {_value(each['low'], '')} to {_value(each['high'], each['unit'])}" for each in ranges
    ]
    corners = robust["corners_checked"]
    tried = f"{corners} of their corners" if not robust["all_corners"] else f"{corners} corners"
    where = f", held against {tried}" if corners > 1 else ""
    yield f"the plan holds for {listed(spans)}{where}; all figures stand at the worst end of each"
    unit = robust["unit"]
    if robust["nominal"] is not None and robust["nominal_best"] is not None:
        price, least = robust["price_of_robustness"], robust["nominal_best"]
        more = f" ({share(price / least)})" if least else ""
        yield (
            f"it comes to {best(robust['worst'], unit)} at worst and to {best(robust['nominal'], unit)} in the middle "
            f"of the ranges, where the best plan comes to {best(least, unit)}: to hold everywhere costs "
            f"{best(price, unit)}{more} there"
        )
    if robust["replicas_following"] is not None and robust["replicas_following"] < (robust["nominal"] or 0):
        following = best(robust["replicas_following"], unit)
        yield f"with as many replicas as the middle needs, on the same devices, it would come to {following} there"
    if robust["nominal_plan"] is not None:
        yield _nominal(robust["nominal_plan"], {each["path"]: each["unit"] for each in ranges})


def _nominal(plan: Json, units: Mapping[str, str]) -> str:
    if plan["holds"]:
        return "the best plan for the middle holds over the ranges too"
    at = [f"{name} is {_value(value, units[name])}" for name, value in plan["at"].items()]
    broken = listed([constraint(name) for name in plan["broken"]])
    return f"the best plan for the middle does not hold: it breaks {broken} where {listed(at)}"


def _value(value: float, unit: str) -> str:
    return f"{number(value)} {unit}".strip()
