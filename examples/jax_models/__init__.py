"""
Networks written by hand in plain JAX, with seeded random weights: what a user brings, and what the compiler is held to.

    config = bert.BASE
    y = bert.forward(config, parameters(bert.shapes(config), seed=0), tokens)

Shapes and formulas are those of the papers named in each file; weights are drawn so that signals keep unit variance.
"""

from .weights import parameters

__all__ = ["parameters"]
