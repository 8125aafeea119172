"""From steps and bytes to places in the picture, and what of a name fits there."""

from __future__ import annotations

from dataclasses import dataclass

from .occupancy import Plan, shown

LEFT, TOP, RIGHT = 84.0, 100.0, 24.0
MAP_HEIGHT = 560.0
LANE_GAP, LANE_HEIGHT = 22.0, 72.0
"""of the traffic under the map"""
MOST_NAMES_HEIGHT = 190.0
"""of the operators' names under that"""
LEAST_WIDTH = 1280.0
CHART_WIDTH, WIDEST_CHART = 1440.0, 32_000.0
WIDEST_STEP, ROOMY_STEP = 120.0, 9.0
"""what a step has at most, and what it is not squeezed below unless the chart gets wider than `WIDEST_CHART`"""
CHARACTER, LINE = 6.1, 11.0
"""a character and a line of the 10 px font, with their gaps [px]"""
LEAST_CHARACTERS = 4
"""of a name: a shorter piece of it says nothing"""
NAME_EVERY = 13.0
"""[px] between names of operators"""


@dataclass(frozen=True)
class Scale:
    """Where a step and an address lie [px]; address 0 is at the bottom."""

    step_px: float
    top_bytes: int
    """the address at the upper edge"""

    @property
    def byte_px(self) -> float:
        return MAP_HEIGHT / self.top_bytes

    def x(self, step: float) -> float:
        return LEFT + step * self.step_px

    def y(self, address: float) -> float:
        return TOP + MAP_HEIGHT - address * self.byte_px


def scale_of(plan: Plan) -> Scale:
    """The scale that suits a plan: up to the capacity, or to the highest address where that is far below."""
    steps = max(1, len(plan["order"]))
    step_px = max(min(WIDEST_STEP, CHART_WIDTH / steps), min(ROOMY_STEP, WIDEST_CHART / steps))
    highest = max((b["offset"] + b["bytes"] for b in plan["buffers"]), default=0)
    top = plan["size_bytes"] if 2 * highest >= plan["size_bytes"] else highest
    return Scale(step_px, max(1, top, highest))


def px(value: float) -> str:
    """A place in the picture, to the hundredth of a pixel."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def clipped(name: str, room_px: float) -> str | None:
    """What fits of a name, its end rather than its start, which its neighbours share; None where that is too little."""
    name, fits = shown(name), int(room_px / CHARACTER)
    if len(name) <= fits:
        return name
    return "\N{HORIZONTAL ELLIPSIS}" + name[1 - fits :].lstrip("./_ ") if fits > LEAST_CHARACTERS else None


def round_step(least: float, factors: tuple[int, ...] = (1, 2, 5), base: int = 10) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50, ... that is not below `least`; powers of two with (1,) and 2."""
    unit = 1
    while True:
        for factor in factors:
            if factor * unit >= least:
                return factor * unit
        unit *= base
