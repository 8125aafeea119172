"""What a plan over ranges says of them, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..ir.wording import number, share
from .summary import best, listed
from .wording import constraint

Json = Mapping[str, Any]
EQUAL = 1e-6
"""What figures differ by where they are called equal: less than is shown of them"""


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
        comes = (
            f"it comes to {best(robust['worst'], unit)} at worst and to {best(robust['nominal'], unit)} in the middle"
        )
        yield f"{comes} of the ranges, {_price(robust)}"
    if robust["replicas_following"] is not None and robust["replicas_following"] < (robust["nominal"] or 0):
        following = best(robust["replicas_following"], unit)
        yield f"with as many replicas as the middle needs, on the same devices, it would come to {following} there"
    if robust["nominal_plan"] is not None:
        yield _nominal(robust, {each["path"]: each["unit"] for each in ranges})


def _costs_nothing(robust: Json) -> bool:
    """Whether the plan is as good in the middle as the best one there, but for rounding."""
    price = robust["price_of_robustness"]
    return price is not None and price <= EQUAL * abs(robust["nominal_best"])


def _price(robust: Json) -> str:
    if _costs_nothing(robust):
        return "where no plan is better: to hold everywhere costs nothing"
    price, least, unit = robust["price_of_robustness"], robust["nominal_best"], robust["unit"]
    more = f" ({share(price / least)})" if least else ""
    return f"where the best plan comes to {best(least, unit)}: to hold everywhere costs {best(price, unit)}{more} there"


def _nominal(robust: Json, units: Mapping[str, str]) -> str:
    plan = robust["nominal_plan"]
    if plan["holds"]:
        return "the best plan for the middle holds over the ranges too"
    which = "a plan that comes to as much in the middle" if _costs_nothing(robust) else "the best plan for the middle"
    at = [f"{name} is {_value(value, units[name])}" for name, value in plan["at"].items()]
    broken = listed([constraint(name) for name in plan["broken"]])
    return f"{which} does not hold: it breaks {broken} where {listed(at)}"


def _value(value: float, unit: str) -> str:
    return f"{number(value)} {unit}".strip()
