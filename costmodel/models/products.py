"""Weight matrices of a layer, before they are cut over devices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Split = Literal["columns", "rows", "whole"]
Kind = Literal["attention", "linear", "indexer", "network", "shared", "expert", "router", "vision"]


@dataclass(frozen=True)
class Product:
    """Weights (k, n) that rows of activations (m, k) are multiplied with."""

    n: int
    k: int
    split: Split
    """over a tensor-parallel group: n by `columns`, k by `rows` (an all-reduce follows), or not at all (`whole`)"""
    kind: Kind
    """whose precision it has: checkpoints are quantised by kinds of modules"""

    @property
    def parameters(self) -> int:
        """n k."""
        return self.n * self.k


def parameters_of(products: Iterable[Product]) -> int:
    """Of several matrices."""
    return sum(product.parameters for product in products)
