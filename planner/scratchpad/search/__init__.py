"""Order and eviction by search: `schedule` proves its answer or states the bound; `gap` keeps along a given order."""

from .portfolio import schedule
from .prepare import prepare

__all__ = ["prepare", "schedule"]
