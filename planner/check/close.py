"""How far a stated figure may lie from the derived one."""

from __future__ import annotations

RELATIVE = 1e-6
"""Both sides work from the same figures: only the order of sums and rounding to nine digits in print differ.

Percentiles are no figures of this kind; `latency` has slacks of their own for them.
"""
SMALL = 1e-12


def far(stated: float, derived: float, relative: float = RELATIVE, of: float = 0.0) -> bool:
    """Whether `stated` is further than `relative` from `derived`; `of` is a whole that `derived` is a part of.

    A part is also close enough when it is off by a hundredth of `relative` of the whole.
    """
    slack = max(relative * abs(derived), relative / 100 * abs(of), SMALL)
    return abs(stated - derived) > slack
