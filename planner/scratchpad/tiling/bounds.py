"""What no way of running an operator can beat: lower bounds on its traffic, in bytes, for M bytes of scratchpad.

The method is that of Hong and Kung in the form of Irony, Toledo and Tiskin (JPDC 2004): cut the run into segments that
read R bytes each; bound the products F(R) that one segment can form from what lay there and what it read; then at least
(products / F(R) - 1) R bytes are read. R is free, and every R gives a valid bound. Every product is formed once, and a
sum is built up by adding products to it one by one.

(62) Loomis and Whitney (1949): a set of products that touches a, b and c elements of three operands has at most
     sqrt(a b c), where each loop indexes at least two of the three.
(63) matmul, and convolution as the product that it is on the unfolded image. With e_a, e_b, e_c bytes per element,
     and u windows at most over each element of the image (u = 1 for a matmul), e_a a + e_b b + e_c c <= M + R in a
     segment, so F = ((M + R) / 3)^1.5 sqrt(u / (e_a e_b e_c)), best at R = 2M. A sum that starts at zero is not read
     first, which saves at most one read of every output; but every output is written, so reads and writes together
     are at least

         2 products sqrt(e_a e_b e_c / (u M)) - 2M.

     For equal words this is 2mnk / sqrt(S) - 2S, which Smith, Lowery, Langou and van de Geijn have for C += AB ("A
     Tight I/O Lower Bound for Matrix Multiplication", arXiv 1702.02017). Adding mn for the writes of C, as can be
     done where C is read first (cf. Kwasniewski et al., arXiv 1908.09606), would be wrong for C = AB: with m = 16, k
     = 4, n = 1000 and S = 84 it would say 29,966, and 20,064 words suffice. Unfolding with u: Chen, Han and Wang,
     "Communication Lower Bound in Convolution Accelerators" (arXiv 1911.05662); products on the padding are not
     counted.
(64) attention: the scores need never leave. Take a segment that reads or writes T bytes. Scores all of whose d
     products are formed in it need whole rows of Q and K, of which it has r = (M + T) / (2e) elements each where
     their product is largest: r^2 / d products. The other scores are there at its start, at its end, or moved: at
     most (2M + T) / e_s, with r sqrt((2M + T) / e_s) products. F is the sum of both, and T (products / F - 1) bytes
     move, for the best T. The order is N^2 d^2 / M, or N^2 d / sqrt(M) where M < d^2, which Saha and Ye, "The I/O
     Complexity of Attention" (arXiv 2402.07443), prove to be that of every exact algorithm; the constants are derived
     here.
(65) always: inputs and outputs once each.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, prod, sqrt

from .nest import Nest, Window
from .shapes import Slide


def bound_bytes(nest: Nest, size_bytes: int) -> int:
    """The least traffic of an operator on an empty scratchpad of `size_bytes`, all of whose outputs leave."""
    return max(compulsory_bytes(nest), ceil(_products_bound(nest, size_bytes)))


def inner_bound_bytes(nest: Nest, size_bytes: int) -> int:
    """The least traffic while the operator runs, whatever lies in the scratchpad before and stays there after."""
    left = min(size_bytes, sum(nest.whole_bytes(o) for o in nest.tensors if o.role == "output"))
    if nest.kind == "attention":
        left = 0  # (64) asks for no output to leave
    return max(0, compulsory_bytes(nest) - 2 * size_bytes, ceil(_products_bound(nest, size_bytes)) - left)


def compulsory_bytes(nest: Nest) -> int:
    """Every tensor once, by equation (65)."""
    return sum(nest.whole_bytes(o) for o in {o.tensor: o for o in nest.tensors}.values())


def products_of(nest: Nest) -> int:
    """Products that the body forms, those on padding not counted."""
    windows = [a for o in nest.operands for a in o.axes if isinstance(a, Window)]
    slid = {loop for w in windows for loop in (w.outer, w.inner)}
    uncounted = {"e"} if nest.kind == "attention" else set()
    plain = prod(extent for loop, extent in nest.loops if loop not in slid | uncounted)
    return plain * prod(_slide(nest, w).products for w in windows)


def _products_bound(nest: Nest, size_bytes: int) -> float:
    if nest.kind in ("matmul", "convolution"):
        return _matmul_bound(nest, size_bytes)
    if nest.kind == "attention":
        return _attention_bound(nest, size_bytes)
    return 0.0


def _matmul_bound(nest: Nest, size_bytes: int) -> float:
    """Equation (63); 0 where an operand of the product is not accounted for."""
    loops = frozenset(nest.extent)
    inputs = [o for o in nest.tensors if o.role == "input" and len(o.loops) > 2 - (nest.kind == "matmul")]
    outputs = [o for o in nest.tensors if o.role == "output"]
    if len(inputs) != 2 or len(outputs) != 1 or size_bytes <= 0 or inputs[0].tensor == inputs[1].tensor:
        return 0.0
    three = (*inputs, *outputs)
    if not all(sum(loop in o.loops for o in three) >= 2 for loop in loops if nest.extent[loop] > 1):
        return 0.0
    unfolded = prod(_slide(nest, a).reuse for o in inputs for a in o.axes if isinstance(a, Window))
    widths = prod(o.element_bytes for o in three)
    return 2 * products_of(nest) * sqrt(widths / (unfolded * size_bytes)) - 2 * size_bytes


def _attention_bound(nest: Nest, size_bytes: int) -> float:
    """Equation (64)."""
    queries, keys = nest.operands[0], nest.operands[1]
    if len(nest.tensors) < 4 or queries.tensor == keys.tensor or size_bytes <= 0:
        return 0.0
    element, dim = queries.element_bytes, nest.extent["d"]
    score = next(o.element_bytes for o in nest.operands if o.role == "scratch")
    return max(_segments(products_of(nest), size_bytes, t, element, score, dim) for t in _tries(size_bytes))


def _segments(products: int, size: int, moved: float, element: int, score: int, dim: int) -> float:
    rows = (size + moved) / (2 * element)
    most = rows * rows / dim + rows * sqrt((2 * size + moved) / score)
    return moved * (products / most - 1)


def _tries(size_bytes: int) -> Iterable[float]:
    return (size_bytes * 2 ** (exponent / 2) for exponent in range(-8, 13))


def _slide(nest: Nest, window: Window) -> Slide:
    """The window of a nest, with as much padding behind as its places need."""
    places, kernel = nest.extent[window.outer], nest.extent[window.inner]
    reach = (places - 1) * window.stride + (kernel - 1) * window.dilation + 1
    return Slide(
        window.size, kernel, window.stride, window.pad, max(0, reach - window.size - window.pad), window.dilation
    )
