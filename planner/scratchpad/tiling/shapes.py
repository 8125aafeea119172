"""The loop nests of the operators that can be tiled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .nest import Nest, Operand, Window


def matmul(
    a: str, b: str, out: str, m: int, n: int, k: int, batch: int = 1, shared: bool = False, element: int = 1,
    partial: int = 0,
) -> Nest:  # fmt: skip
    """out[batch, m, n] = a[batch, m, k] b[batch, k, n]; with `shared`, b has no batch. Bytes per `element` and per
    `partial` sum (0: as many)."""
    return Nest(
        "matmul",
        (("batch", batch), ("m", m), ("n", n), ("k", k)),
        (
            Operand(a, ("batch", "m", "k"), element),
            Operand(b, ("k", "n") if shared else ("batch", "k", "n"), element),
            Operand(out, ("batch", "m", "n"), element, "output", partial),
        ),
    )


@dataclass(frozen=True)
class Slide:
    """How a window moves along one axis of an image of `size` elements."""

    size: int
    kernel: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1

    @property
    def places(self) -> int:
        """Places of the window, the output's size."""
        return (self.size + self.before + self.after - self.dilation * (self.kernel - 1) - 1) // self.stride + 1

    def window(self, outer: str, inner: str) -> Window:
        """The axis of the image."""
        return Window(outer, inner, self.size, self.stride, self.dilation, self.before)

    @property
    def products(self) -> int:
        """(place, element of the window) pairs that fall inside the image, not on its padding."""
        reach = (
            place * self.stride + element * self.dilation - self.before
            for place in range(self.places)
            for element in range(self.kernel)
        )
        return sum(0 <= at < self.size for at in reach)

    @property
    def reuse(self) -> int:
        """Elements of the window, at most, that meet one element of the image: those whose distance is a multiple of
        the stride."""
        from math import gcd

        return -(-self.kernel // (self.stride // gcd(self.stride, self.dilation)))


def convolution(
    x: str, w: str, out: str, n: int, c: int, k: int, rows: Slide, columns: Slide, groups: int = 1,
    bias: str | None = None, element: int = 1, partial: int = 0,
) -> Nest:  # fmt: skip
    """out[n, k, p, q] = sum over c, r, s of x[n, c, p.., q..] w[k, c, r, s]; `c` and `k` count all groups together."""
    loops = (
        ("n", n), ("g", groups), ("k", k // groups), ("p", rows.places), ("q", columns.places),
        ("c", c // groups), ("r", rows.kernel), ("s", columns.kernel),
    )  # fmt: skip
    operands = [
        Operand(x, ("n", "g", "c", rows.window("p", "r"), columns.window("q", "s")), element),
        Operand(w, ("g", "k", "c", "r", "s"), element),
        Operand(out, ("n", "g", "k", "p", "q"), element, "output", partial),
    ]
    if bias is not None:
        operands.append(Operand(bias, ("g", "k"), element))
    return Nest("convolution", loops, tuple(operands))


def pool(x: str, out: str, n: int, c: int, rows: Slide, columns: Slide, element: int = 1) -> Nest:
    """out[n, c, p, q] = the largest or the mean of a window of x."""
    loops = (
        ("n", n), ("c", c), ("p", rows.places), ("q", columns.places), ("r", rows.kernel), ("s", columns.kernel),
    )  # fmt: skip
    image = Operand(x, ("n", "c", rows.window("p", "r"), columns.window("q", "s")), element)
    return Nest("pool", loops, (image, Operand(out, ("n", "c", "p", "q"), element, "output")))


def attention(
    q: str, k: str, v: str, out: str, heads: int, queries: int, keys: int, dim: int, kv_heads: int | None = None,
    value_dim: int | None = None, element: int = 1, partial: int = 0,
) -> Nest:  # fmt: skip
    """
    out[h, i] = sum over j of softmax(q[h, i] . k[h, j]) v[h, j], with the running maximum and sum of each row kept
    beside it (FlashAttention, arXiv 2205.14135, algorithm 1).

    Rows of the head dimension are not cut. The tile holds the scores of its rows and columns; partial rows of the
    output, the maximum and the sum have `partial` bytes each.
    """
    kv_heads, value_dim = kv_heads or heads, value_dim or dim
    held = partial or element
    return Nest(
        "attention",
        (("g", kv_heads), ("h", heads // kv_heads), ("i", queries), ("j", keys), ("d", dim), ("e", value_dim)),
        (
            Operand(q, ("g", "h", "i", "d"), element),
            Operand(k, ("g", "j", "d"), element),
            Operand(v, ("g", "j", "e"), element),
            Operand(out, ("g", "h", "i", "e"), element, "output", partial),
            Operand("scores", ("g", "h", "i", "j"), held, "scratch"),
            Operand("row maximum and sum", ("g", "h", "i"), 2 * held, "state"),
        ),
        whole=frozenset("de"),
    )


def rows(inputs: list[str], outputs: list[str], count: int, width: int, element: int = 1) -> Nest:
    """An operator on rows of `width` elements, each by itself, read and written once: softmax, layer normalisation."""
    operands = [Operand(t, ("row", "column"), element) for t in inputs]
    operands += [Operand(t, ("row", "column"), element, "output") for t in outputs]
    return Nest("rows", (("row", count), ("column", width)), tuple(operands), whole=frozenset({"column"}))


def reduction(x: str, out: str, shape: Sequence[int], axes: Sequence[int], element: int = 1) -> Nest:
    """The sum, mean or largest element of x along `axes`."""
    loops = tuple((f"d{axis}", size) for axis, size in enumerate(shape))
    kept = tuple(loop for axis, (loop, _) in enumerate(loops) if axis not in axes)
    image = Operand(x, tuple(loop for loop, _ in loops), element)
    return Nest("reduction", loops, (image, Operand(out, kept, element, "output")))


def elementwise(inputs: list[str], outputs: list[str], count: int, element: int = 1) -> Nest:
    """An operator on `count` elements, each by itself."""
    operands = [Operand(t, ("at",), element) for t in inputs]
    operands += [Operand(t, ("at",), element, "output") for t in outputs]
    return Nest("elementwise", (("at", count),), tuple(operands))
