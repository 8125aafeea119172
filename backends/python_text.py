"""Lays Python expressions out in 88 columns the way `ruff format` does, so that emitted source is formatted source."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

WIDTH = 88
"""columns, the default of ruff and black: a folder of emitted code has no settings of its own"""
LIBRARY_COLUMNS = 120
"""of kernels of the library, which are copied as they are into a folder that says so"""

_GIVEN = re.compile(r"(?P<head>\w+ = )(?P<inside>\w+)")
"""`a = b`"""
_HEAD, _STRING = r"""[^"'(]*\w\[""", r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_NAMED = re.compile(rf"(?P<head>{_HEAD})(?P<inside>{_STRING})(?P<tail>\][^\"']*)")
"""`w["..."]`, with what stands about it"""
_CALLED = re.compile(rf"(?P<head>(?:{_HEAD}{_STRING}\]|[^\"'(]*\w)\.\w+\()(?P<inside>[^\"']+)(?P<tail>\),?)")
"""`w["..."].reshape(1, 4)`, `x.reshape(1, 4)`"""


@dataclass(frozen=True)
class Brackets:
    """Items between brackets: a call's arguments, a list, a definition's parameters."""

    opening: str
    """all before the first item: `conv(` or `[`"""
    items: tuple[Expression, ...]
    closing: str

    def __str__(self) -> str:
        return f"{self.opening}{', '.join(map(str, self.items))}{self.closing}"

    @property
    def literal(self) -> bool:
        """Whether this is a list, tuple or mapping, which is split into one item a line at once; a call is not."""
        return self.opening[-1] in "[{" or self.opening == "(" or self.opening.endswith(" (")


Expression = str | Brackets
"""Text that stays on one line, or brackets that may be split over several."""


def call(function: str, *arguments: Expression, **keywords: object) -> Brackets:
    """`function(arguments, keyword=value)`."""
    named = (f"{key}={value}" for key, value in keywords.items())
    return Brackets(f"{function}(", (*arguments, *named), ")")


def sequence(items: Sequence[Expression]) -> Brackets:
    """`[a, b]`."""
    return Brackets("[", tuple(items), "]")


def tuple_of(items: Sequence[Expression]) -> Expression:
    """`(a, b)`, and `(a,)` of one."""
    return Brackets("(", tuple(items), ",)" if len(items) == 1 else ")")


def quoted(text: str) -> str:
    """`text` as a string literal: in double quotes, unless it holds more of them than of single ones."""
    # JSON escapes quotes, backslashes and control characters as Python does; other characters stay as they are.
    made = json.dumps(text, ensure_ascii=False)
    if text.count('"') <= text.count("'"):
        return made
    inside = made[1:-1].replace("'", "\\'").replace('\\"', '"')
    return f"'{inside}'"


def which(network: str) -> str:
    """What follows `the network` in a sentence: its name, unless that says no more."""
    return "" if network == "network" else f" {network}"


def mapping_lines(name: str, entries: Mapping[str, Expression], comment: str = "") -> list[str]:
    """The lines of `name = {...}`, an entry of text to expression on each."""
    remark = f"  # {comment}" if comment else ""
    if not entries:
        return [f"{name} = {{}}{remark}"]
    rows = (lay_out(with_comma(prefixed(f"{quoted(key)}: ", value))) for key, value in entries.items())
    return [f"{name} = {{{remark}", *chain.from_iterable(rows), "}"]


def imported(*names: str) -> str:
    """The names after `from x import` in the order of isort: constants, classes, then all others."""
    return ", ".join(sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name.lower(), name)))


def prefixed(prefix: str, expression: Expression) -> Expression:
    """`expression` with `prefix` before it: `return `, `x = `, `axis=`."""
    if isinstance(expression, str):
        return prefix + expression
    return Brackets(prefix + expression.opening, expression.items, expression.closing)


def fits(expression: Expression, comment: str = "", indent: int = 4) -> bool:
    """Whether `expression` and its comment stand on one line."""
    return indent + len(str(expression)) + (len(comment) + 4 if comment else 0) <= WIDTH


def lay_out(expression: Expression, comment: str = "", indent: int = 4) -> list[str]:
    """The lines of `expression` at `indent`, with `comment` after the last."""
    remark = f"  # {comment}" if comment else ""
    if fits(expression, comment, indent):
        return [" " * indent + str(expression) + remark]
    if isinstance(expression, str):
        return _lay_out_text(expression, remark, indent)
    if not expression.items:
        return [" " * indent + str(expression) + remark]
    inside = indent + 4
    row = ", ".join(map(str, expression.items))
    if not expression.literal and inside + len(row) <= WIDTH:
        body = [" " * inside + row]
    else:
        body = []
        for item in expression.items:
            *lines, last = lay_out(with_comma(item), indent=inside)
            body += [*lines, last]
    return [" " * indent + expression.opening, *body, " " * indent + expression.closing.removeprefix(",") + remark]


def _lay_out_text(text: str, remark: str, indent: int) -> list[str]:
    """Text that is too long for its line: the arguments of `w["..."].reshape(1, 4)`, or the name, on one of its own."""
    given, named, called = (pattern.fullmatch(text) for pattern in (_GIVEN, _NAMED, _CALLED))
    if called is not None and not _closed(called["inside"]):
        called = None
    if given is not None and indent + 4 + len(given["inside"]) <= WIDTH:
        return _around(given["head"] + "(", given["inside"], ")" + remark, indent)
    if called is not None and (named is None or indent + len(called["head"]) <= WIDTH):
        return _around(called["head"], called["inside"], called["tail"] + remark, indent)
    if named is not None:
        return _around(named["head"], named["inside"], named["tail"] + remark, indent)
    return [" " * indent + text + remark]


def _around(head: str, inside: str, tail: str, indent: int) -> list[str]:
    return [" " * indent + head, " " * (indent + 4) + inside, " " * indent + tail]


def _closed(text: str) -> bool:
    """Whether each bracket that opens in `text` closes there, and none that opened before."""
    depth = list(accumulate((character == "(") - (character == ")") for character in text))
    return min(depth) >= 0 and depth[-1] == 0


def with_comma(item: Expression) -> Expression:
    """`item` as one of several lines between brackets."""
    return item + "," if isinstance(item, str) else Brackets(item.opening, item.items, item.closing + ",")


ATOM, UNARY, PRODUCT, SUM = 4, 3, 2, 1
"""How tightly an operator binds."""

_INFIX = {"add": ("+", SUM), "sub": ("-", SUM), "mul": ("*", PRODUCT), "div": ("/", PRODUCT)}


@dataclass(frozen=True)
class Scalar:
    """Text and how tightly its outermost operator binds."""

    text: str
    binds: int = ATOM

    def inside(self, binds: int) -> str:
        """The text as an operand of an operator that binds so tightly."""
        return self.text if self.binds >= binds else f"({self.text})"


def arithmetic(kind: str, arguments: Sequence[Scalar], functions: Mapping[str, str]) -> Scalar:
    """
    The scalar function `kind` of `arguments`, by its name in `functions` or the call there, with {} for the arguments,
    else by Python's operator.

    Floating-point order is kept, so `a + (b + c)` keeps its brackets.
    """
    if kind in functions:
        function, given = functions[kind], ", ".join(a.text for a in arguments)
        return Scalar(function.format(given) if "{}" in function else f"{function}({given})")
    if kind == "neg":
        return Scalar(f"-{arguments[0].inside(UNARY)}", UNARY)
    sign, binds = _INFIX[kind]
    left, right = arguments
    return Scalar(f"{left.inside(binds)} {sign} {right.inside(binds + 1)}", binds)
