"""
Random networks over all nn ops, with inputs: what passes and backends are tried on.

    from dovetail.ir.random_networks import random_network
    case = random_network(seed=7)
    before, after = case.run(), case.run(rewritten)       # outputs in float64, on every rank

Beside single ops they hold what passes look for: norms, activations, attention and rotary embedding spelled out in
their variants, near misses of each, equal and dead ops, transposes that cancel. Values stay in a range where comparing
in float64 means something: nothing explodes, logarithms are of positive numbers, and networks whose outputs hang on
rounding are thrown away.
"""

from .network import RandomNetwork, random_network

__all__ = ["RandomNetwork", "random_network"]
