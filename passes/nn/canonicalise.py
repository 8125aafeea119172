"""`canonicalise`: one way to write what exporters write in several, so that other passes know one form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from . import canonical_layout, canonical_nothing, canonical_products, canonical_scalars
from .draft import Draft, Patterns, sweep
from .nn_pass import NnPass

_OF_KINDS = {**canonical_layout.PATTERNS, **canonical_products.PATTERNS, **canonical_scalars.PATTERNS}
PATTERNS: Patterns = {
    **_OF_KINDS,
    **{kind: [*found, *_OF_KINDS.get(kind, ())] for kind, found in canonical_nothing.PATTERNS.items()},
}


@dataclass(frozen=True)
class CanonicalisePass(NnPass):
    """
    Rewrites to canonical forms (each with its before and after in the `canonical_*` files), in one walk.

    Promise: `main` computes the same but for rounding, and no op costs more than what it stands for: views replace
    copies, and the flops of a function that is written in another way are counted alike. New ops have the locations
    of those that they stand for.
    """

    name: ClassVar[str] = "canonicalise"

    def rewrite(self, draft: Draft) -> None:
        sweep(draft, PATTERNS)
