"""Equal layers of a network as functions of the emitted source, each called once for every layer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from xdsl.dialects.func import ReturnOp

from ...ir import nn
from ..python_text import Brackets, Expression, call, lay_out, quoted
from .axes import AxisNames
from .names import Names
from .repeats import Layer, Repeat, inlined, repeats_in
from .statements import Body, LayerCall
from .weights import UsedWeights

PART_OF = "part_of"
"""the function of `layers.py` that gives a layer its weights"""


class EqualLayers:
    """
    The functions for the equal layers of `network`, and their calls.

    A layer is given the weights whose names begin alike, `part_of(w, "layers.3.")`, and calls them by what follows.
    Where the network's names do not tell the layers apart so, they are saved as `layer_1.3.<name in the first layer>`.
    """

    def __init__(
        self, network: nn.NnModule, names: Names, module: Names, weights: UsedWeights, axes: AxisNames
    ) -> None:
        """`names` are those of the network's function, `module` those of its module, which alone layers see."""
        self._weights, self._axes, self._module = weights, axes, module
        self.functions: list[str] = []
        self.calls: list[LayerCall] = []
        ops = [op for op in nn.main_of(network.module).body.block.ops if not inlined(op)]
        found = repeats_in([op for op in ops if not isinstance(op, ReturnOp)])
        place = {op: i for i, op in enumerate(ops)}
        for repeat in sorted(found, key=lambda each: place[each.layers[0].ops[0]]):
            self._write(repeat, names.number("layer"))

    def _write(self, repeat: Repeat, name: str) -> None:
        first, alike = repeat.layers[0], repeat.named_alike
        short_names = first.short_names if alike else first.weights
        saved = self._weights.free_start(name)
        for number, layer in enumerate(repeat.layers):
            prefix = layer.prefix if alike else f"{saved}.{number}."
            own = self._weights.within(layer, layer.prefix if alike else None, short_names)
            body, inside = self._body(layer, own)
            self._weights.used |= {prefix + key: value for key, value in own.used.items()}
            if layer is first:
                self.functions.append(self._function(name, repeat, body, inside))
            given = [f"{PART_OF}(w, {quoted(prefix)})"] if own.used else []
            needs = frozenset(body.layers | ({PART_OF} if given else set()))
            self.calls.append(LayerCall(layer, partial(_call, name, given), needs))

    def _body(self, layer: Layer, weights: UsedWeights) -> tuple[Body, list[str]]:
        """The statements of `layer`, and what its arguments are called there."""
        inside = self._module.copy()
        arguments = [inside.claim("x") for _ in layer.args]
        body = Body(layer.ops, inside, weights, self._axes, kept=layer.results)
        for value, argument in zip(layer.args, arguments, strict=True):
            body.bind(value, argument)
        body.write()
        body.write_return(layer.results)
        return body, arguments

    def _function(self, name: str, repeat: Repeat, body: Body, arguments: Sequence[str]) -> str:
        layer = repeat.layers[0]
        result = "Array" if len(layer.results) == 1 else "tuple[Array, ...]"
        given = [*(["w: dict[str, Array]"] if layer.weights else []), *(f"{each}: Array" for each in arguments)]
        shapes = (f"{a} {self._axes.shown(v)}" for a, v in zip(arguments, layer.args, strict=True))
        return "\n".join([
            *lay_out(Brackets(f"def {name}(", tuple(given), f") -> {result}:"), indent=0),
            f'    """One of {len(repeat.layers)} equal layers; takes {", ".join(shapes)}."""',
            *body.lines,
        ])  # fmt: skip


def _call(name: str, weights: Sequence[str], arguments: Sequence[str]) -> Expression:
    return call(name, *weights, *arguments)
