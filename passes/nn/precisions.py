"""
Which precision each op of a network computes in, and which its weights are kept in, as a user says it.

    bf16                        products, chains and movement in bf16; norms, softmax and reductions in fp32, and so
                                what they are given by and give to a chain
    matmul=bf16,norm=fp32       by kinds of ops; what is not named computes as in the file
    bf16,weights=int4           weights of all products in integers of 4 bits, arithmetic in bf16
    int8                        weights of all products in integers of 8 bits, arithmetic as the file has it
    bf16,encoder/fc1=fp32       one op, by the place that the model gives it
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from xdsl.dialects.builtin import BFloat16Type, Float16Type, Float32Type
from xdsl.ir import Attribute, Operation

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError, did_you_mean
from ..locations import places

COMPUTED: Mapping[str, Attribute] = {"fp32": Float32Type(), "bf16": BFloat16Type(), "fp16": Float16Type()}
"""Precisions to compute in -> element type."""
STORED: Mapping[str, str] = {
    "fp8": "fp8",
    **{f"int{bits}": f"i{bits}" for bits in range(8, 1, -1)},
}
"""Precisions that weights alone are kept in -> the name of the element type in `quantise-weights`."""
KINDS: Mapping[str, tuple[type[Operation], ...]] = {
    "matmul": (nn.MatmulOp, nn.GemmOp, nn.GroupedMatmulOp),
    "conv": (nn.ConvOp, nn.ConvTransposeOp),
    "attention": (nn.AttentionOp, nn.PagedAttentionOp, nn.RotaryOp),
    "norm": (nn.NormOp,),
    "softmax": (nn.SoftmaxOp, nn.RouteOp),
    "reduce": (nn.ReduceOp, nn.CumSumOp, nn.AveragePoolOp),
    "elementwise": (nn.ElementwiseOp, nn.FusedElementwiseOp),
}
"""Kind of op, as a user names it -> its classes; all other ops move elements, in the type in which they come."""
WEIGHTS = "weights"
"""names the weights of all products"""
KEPT = ("norm", "softmax", "reduce")
"""kinds that stay in fp32 unless they are named: they add up long rows, or take differences of large numbers"""
WIDE = "fp32"
VIEWS = (nn.ReshapeOp, nn.TransposeOp, nn.BroadcastOp, nn.CastOp)
"""ops that give what they are given, in another shape or type"""


@dataclass(frozen=True)
class Precisions:
    """What a user asked for."""

    default: str | None = None
    """of all that is not named, but for the kinds KEPT"""
    kinds: Mapping[str, str] = field(default_factory=dict)
    stored: Mapping[str, str] = field(default_factory=dict)
    """kind of product, or the place of one, or WEIGHTS -> what its weights are kept in"""
    places: Mapping[str, str] = field(default_factory=dict)

    def computed(self, op: Operation) -> Attribute | None:
        """The element type that `op` computes in; None where it takes its operands as they come."""
        kind = kind_of(op)
        if kind is None:
            return None
        precision = self._said(op, kind) or self._usual(op, kind)
        return COMPUTED[precision] if precision else None

    def _said(self, op: Operation, kind: str) -> str | None:
        """What is said of `op` by its place or its kind."""
        named = next((self.places[place] for place in places(op.location) if place in self.places), None)
        return named or self.kinds.get(kind)

    def _usual(self, op: Operation, kind: str) -> str | None:
        """What an op computes in of which nothing is said: a sum that a norm reads is not rounded before."""
        if self.default is None:
            return None
        beside = kind == "elementwise" and any(self._stays_wide(other) for other in _neighbours(op))
        return WIDE if kind in KEPT or beside else self.default

    def _stays_wide(self, op: Operation) -> bool:
        kind = kind_of(op)
        return kind in KEPT and (self._said(op, kind) or WIDE) == WIDE

    def kept(self, op: Operation) -> str | None:
        """The name of the type in which the weights of the product `op` are kept; None where they stay as they are."""
        for key in (*places(op.location), kind_of(op) or "", WEIGHTS):
            if key in self.stored:
                return STORED[self.stored[key]]
        return None

    @property
    def named(self) -> set[str]:
        """The places that it names."""
        return {*self.places, *(key for key in self.stored if key not in KINDS and key != WEIGHTS)}

    @property
    def formats(self) -> set[str]:
        """Every precision that it names."""
        every = {*self.kinds.values(), *self.stored.values(), *self.places.values()}
        return every | ({self.default} if self.default else set())


def kind_of(op: Operation) -> str | None:
    """The kind of `op` in KINDS; None for one that moves elements, or makes them."""
    return next((kind for kind, classes in KINDS.items() if isinstance(op, classes)), None)


def _neighbours(op: Operation) -> Iterator[Operation]:
    """The ops whose results `op` reads and those that read its results, behind views."""
    for value in op.operands:
        owner = value.owner
        while isinstance(owner, VIEWS):
            owner = owner.operands[0].owner
        if isinstance(owner, Operation):
            yield owner
    waiting = [use.operation for result in op.results for use in result.uses]
    while waiting:
        user = waiting.pop()
        if isinstance(user, VIEWS):
            waiting += [use.operation for use in user.results[0].uses]
        else:
            yield user


def read_precisions(given: str | Mapping[str, str]) -> Precisions:
    """`bf16`, `matmul=bf16,norm=fp32`, or the same as a mapping; InputError with every fault of it at once."""
    items = _items(given)
    faults = [fault for key, precision in items for fault in _faults(key, precision)]
    keys = [key for key, _ in items]
    for key in dict.fromkeys(key for key in keys if keys.count(key) > 1):
        said = ", ".join(f"`{precision}`" for each, precision in items if each == key)
        faults.append(_wrong(f"{f'`{key}`' if key else 'the default'} is given twice: {said}"))
    if faults or not items:
        raise InputError(faults or [_wrong("no precision is given", _all_of((*COMPUTED, *STORED)))])
    default, kinds, stored, named = None, dict[str, str](), dict[str, str](), dict[str, str]()
    for key, precision in items:
        if precision in STORED:
            stored[key or WEIGHTS] = precision
        elif not key:
            default = precision
        elif key in KINDS:
            kinds[key] = precision
        else:
            named[key] = precision
    return Precisions(default, kinds, stored, named)


def _items(given: str | Mapping[str, str]) -> list[tuple[str, str]]:
    """(kind, place or nothing; precision)."""
    if isinstance(given, Mapping):
        return [("" if key == "default" else str(key), str(value)) for key, value in given.items()]
    parts = [part.strip() for part in given.split(",")] if given.strip() else []
    if any(not part or part.startswith("=") for part in parts):
        message = f"`{given}` has a part without a kind of op or a precision"
        raise InputError([_wrong(message, "write `bf16`, or `matmul=bf16,norm=fp32`")])
    split = [part.rpartition("=") for part in parts]
    return [(key.strip(), precision.strip()) for key, _, precision in split]


def _faults(key: str, precision: str) -> Iterable[Diagnostic]:
    known = (*COMPUTED, *STORED)
    if precision not in known:
        yield _wrong(f"`{precision}` is no precision", did_you_mean(precision, known) or _all_of(known))
    elif key == WEIGHTS and precision not in STORED:
        yield _wrong(f"weights are not kept in {precision} by themselves", f"`{precision}` alone is for arithmetic too")
    elif precision in STORED and key in KINDS and key not in ("matmul", "conv"):
        yield _wrong(f"`{key}` has no weights of a product to be kept in {precision}", _all_of(COMPUTED))


def require_places(wanted: Precisions, ops: Iterable[Operation]) -> None:
    """InputError unless every place that `wanted` names is one of `ops`."""
    if not wanted.named:
        return
    known = {*KINDS, WEIGHTS, *(place for op in ops for place in places(op.location))}
    kinds = f"kinds of ops are {', '.join((*KINDS, WEIGHTS))}"
    faults = [
        _wrong(
            f"`{name}` is neither a kind of op nor the place of one in the network", did_you_mean(name, known) or kinds
        )
        for name in sorted(wanted.named - known)
    ]
    if faults:
        raise InputError(faults)


def _all_of(known: Iterable[str]) -> str:
    return f"precisions are {', '.join(known)}"


def _wrong(message: str, help: str | None = None) -> Diagnostic:
    return Diagnostic("precision", message, help=help)
