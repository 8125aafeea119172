"""
The reference meaning of each nn op in numpy, one file for each file of `ir/nn`.

Floats are held in float64: a cast between floating-point types changes nothing here, for the meaning of a network is
that of real numbers, and rounding is what a target adds to it. Integers are exact, and wrap around where their type
ends; true is 1 (`meaning.held`).
"""

from . import (
    attention,
    experts,
    fusion,
    indexing,
    layout,
    norms,
    products,
    quantise,
    reductions,
    resize,
    scalars,
    transfers,
    windows,
)
from .meaning import Array, Meanings, held
from .scalars import SCALAR

_PLAIN: Meanings = {
    **scalars.MEANING,
    **windows.MEANING,
    **products.MEANING,
    **reductions.MEANING,
    **norms.MEANING,
    **layout.MEANING,
    **indexing.MEANING,
    **resize.MEANING,
    **attention.MEANING,
    **experts.MEANING,
    **quantise.MEANING,
    **transfers.MEANING,
}
MEANING: Meanings = {**_PLAIN, **fusion.meanings(_PLAIN)}
"""Op class -> its meaning. A weight has none: its value is given."""

__all__ = ["MEANING", "SCALAR", "Array", "held"]
