"""Tiling: operators that are larger than the scratchpad, cut until they fit, with all that is read again charged."""

from .below import TiledOperator, TiledPlan, least_traffic_bytes, minimum_bytes, plan_below
from .bounds import bound_bytes
from .check import check_tiled
from .nest import Nest, Operand, Window
from .read import read_nests
from .search import Tiling, least_bytes, tile

__all__ = [
    "Nest",
    "Operand",
    "TiledOperator",
    "TiledPlan",
    "Tiling",
    "Window",
    "bound_bytes",
    "check_tiled",
    "least_bytes",
    "least_traffic_bytes",
    "minimum_bytes",
    "plan_below",
    "read_nests",
    "tile",
]
