"""
Sizes that are not known yet: polynomials over names such as `batch` and `seq`, each at least 1.

A tensor type of such a size has `?` there and says what it is in its encoding, one entry for each axis:

    tensor<?x?x768xf32, ["batch", "2*seq + 1", 768]>

A `Size` does arithmetic as an int does. A comparison that does not hold or fail for every value of the names is
refused (`Undecided`), so that no rule goes one way by accident; `==` asks whether two sizes are always equal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import prod

Monomial = tuple[str, ...]
"""Names in order, one for each time that they are a factor; () is the constant."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class Undecided(ValueError):
    """A comparison or a division whose outcome depends on what the names stand for."""


class Size:
    """An integer polynomial over names; `size_of` makes one, and gives back an int where no name is left."""

    __slots__ = ("terms",)

    def __init__(self, terms: Mapping[Monomial, int]) -> None:
        self.terms = tuple(sorted((m, c) for m, c in terms.items() if c))

    @staticmethod
    def named(name: str) -> Size:
        """The size called `name`; ValueError unless it is an identifier."""
        if not NAME.match(name):
            raise ValueError(f"`{name}` is no name of a size")
        return Size({(name,): 1})

    @property
    def names(self) -> frozenset[str]:
        """What must be known for the size to be known."""
        return frozenset(name for monomial, _ in self.terms for name in monomial)

    def at(self, values: Mapping[str, int]) -> int | Size:
        """The size where names have `values`; names without one stay."""
        terms: dict[Monomial, int] = {}
        for monomial, factor in self.terms:
            rest = tuple(name for name in monomial if name not in values)
            terms[rest] = terms.get(rest, 0) + factor * prod(values[name] for name in monomial if name in values)
        return simplified(terms)

    def __add__(self, other: int | Size) -> int | Size:
        terms = dict(self.terms)
        for monomial, factor in _terms(other):
            terms[monomial] = terms.get(monomial, 0) + factor
        return simplified(terms)

    def __mul__(self, other: int | Size) -> int | Size:
        terms: dict[Monomial, int] = {}
        for left, a in self.terms:
            for right, b in _terms(other):
                monomial = tuple(sorted(left + right))
                terms[monomial] = terms.get(monomial, 0) + a * b
        return simplified(terms)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> int | Size:
        return self * -1

    def __sub__(self, other: int | Size) -> int | Size:
        return self + (-other)

    def __rsub__(self, other: int) -> int | Size:
        return -self + other

    def __divmod__(self, other: int | Size) -> tuple[int | Size, int]:
        """Exact for one term as divisor: (quotient, what remains); Undecided where the quotient is no polynomial."""
        divisor = _terms(other)
        if len(divisor) != 1 or not divisor[0][1]:
            raise Undecided(f"{self} / {other} is no polynomial")
        names, by = divisor[0]
        quotient: dict[Monomial, int] = {}
        rest = 0
        for monomial, factor in self.terms:
            left = list(monomial)
            if not monomial and not names:  # a constant over a number: what does not divide remains
                quotient[()], rest = divmod(factor, by)
                continue
            if factor % by or any(left.count(n) < names.count(n) for n in names):
                raise Undecided(f"{self} / {other} is no polynomial")
            for name in names:
                left.remove(name)
            quotient[tuple(left)] = factor // by
        return simplified(quotient), rest

    def __floordiv__(self, other: int | Size) -> int | Size:
        return divmod(self, other)[0]

    def __mod__(self, other: int | Size) -> int:
        return divmod(self, other)[1]

    def __rfloordiv__(self, other: int) -> int | Size:
        raise Undecided(f"{other} / {self} is no polynomial")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Size) and self.terms == other.terms

    def __hash__(self) -> int:
        return hash(self.terms)

    def __ge__(self, other: int | Size) -> bool:
        if _is_never_negative(self - other):
            return True
        if _is_never_negative(other - self - 1):
            return False
        raise Undecided(f"whether {self} is less than {other} depends on what the names stand for")

    def __lt__(self, other: int | Size) -> bool:
        return not self >= other

    def __gt__(self, other: int | Size) -> bool:
        return self >= other + 1

    def __le__(self, other: int | Size) -> bool:
        return not self > other

    def __str__(self) -> str:
        shown = [_shown(m, c) for m, c in sorted(self.terms, key=lambda term: (-len(term[0]), term))]
        return " + ".join(shown).replace("+ -", "- ")

    def __repr__(self) -> str:
        return str(self)


def simplified(terms: Mapping[Monomial, int]) -> int | Size:
    """The int where no name is left, else the size."""
    size = Size(terms)
    if not size.names:
        return size.terms[0][1] if size.terms else 0
    return size


def size_of(text: str | int) -> int | Size:
    """What `Size.__str__` or an int says: sums of products, as "2*seq + 1"; ValueError otherwise."""
    if isinstance(text, int):
        return text
    total: int | Size = 0
    for term in text.replace("-", "+ -").removeprefix("+").split("+"):
        factors: list[int | Size] = []
        for factor in term.split("*"):
            word = factor.strip()
            sign, word = (-1, word[1:].strip()) if word.startswith("-") else (1, word)
            factors.append(sign * (int(word) if word.isdigit() else Size.named(word)))
        total = total + prod(factors[1:], start=factors[0])
    return total


def names_of(sizes: Sequence[int | Size]) -> frozenset[str]:
    """All names in `sizes`."""
    return frozenset[str]().union(*(size.names for size in sizes if isinstance(size, Size)))


def _terms(size: int | Size) -> tuple[tuple[Monomial, int], ...]:
    return size.terms if isinstance(size, Size) else (((), size),)


def _is_never_negative(size: int | Size) -> bool:
    """Sufficient: with every name written as 1 + t for a t >= 0, no coefficient is negative."""
    shifted: dict[Monomial, int] = {}
    for monomial, factor in _terms(size):
        for chosen in range(1 << len(monomial)):
            part = tuple(name for i, name in enumerate(monomial) if chosen >> i & 1)
            shifted[part] = shifted.get(part, 0) + factor
    return all(factor >= 0 for factor in shifted.values())


def _shown(monomial: Monomial, factor: int) -> str:
    if not monomial:
        return str(factor)
    names = "*".join(monomial)
    return names if factor == 1 else f"-{names}" if factor == -1 else f"{factor}*{names}"
