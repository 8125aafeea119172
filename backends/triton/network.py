"""
Emits a tensor network as one Python function that launches the kernels of the library.

    source = emit_network(network, "bert", device)     # bert.py, kernels/ and the weights
    (out,) = run_network(source, inputs)                # program.py: in Triton's interpreter, without a GPU

The function takes weights, `empty(shape, dtype)` that makes a buffer, and the inputs: tensors of torch on a GPU, arrays
of numpy in the interpreter. Views (reshapes, transpositions, slices, splits, broadcasts) launch nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from math import prod

import numpy as np
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Operation, SSAValue

from ...costmodel.hardware import Device
from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from ...passes.locations import located
from ..dtypes import dtype_of, numpy_dtype, weight_dtype
from ..jax.names import Names, network_name
from ..python_text import Brackets, call, lay_out, prefixed, quoted
from .launches import Launch, Tile, tried
from .network_source import NetworkSource, kernel_texts
from .row_tiles import ranked_row_tiles, row_tiles
from .tiles import Work, ranked_tiles
from .views import View

RESERVED = ("w", "empty", "tuned", "tile", "triton", "tl", "INPUTS", "OUTPUTS")
LARGEST = 2**31
"""elements of a buffer, above which generated chains cannot reach"""


class Emitter:
    """The lines of one function, and what they need from around them."""

    def __init__(self, network: nn.NnModule, name: str, device: Device) -> None:
        self.device = device
        self.names = Names((*RESERVED, *_library(), name))
        self.lines: list[str | Launch] = []
        self.imports: dict[str, set[str]] = {}
        self.functions: dict[str, str] = {}
        """text behind the name -> name of a jitted function"""
        self.buffers: dict[str, str] = {}
        """variable -> its type and shape"""
        self.weights: dict[str, np.ndarray] = {}
        self._given = network.weights
        self._views: dict[SSAValue, View] = {}
        self._later: dict[SSAValue, Callable[[], None]] = {}
        self.origins: dict[SSAValue, nn.WeightOp | nn.DequantiseOp] = {}
        """weights, as they are and written out from few bits -> the op, for who reads them in another form"""

    def view(self, value: SSAValue) -> View:
        """Where `value` lies."""
        if value in self._later:
            self._later.pop(value)()
        return self._views[value]

    def later(self, value: SSAValue, write: Callable[[], None]) -> None:
        """Let `write` bind `value` when it is first looked at, if ever."""
        self._later[value] = write

    def share(self, value: SSAValue, given: SSAValue) -> None:
        """Let `value`, an argument of a fusion, lie where `given` does."""
        if given in self.origins:
            self.origins[value] = self.origins[given]
        self.later(value, lambda: self.bind(value, self.view(given)))

    def bind(self, value: SSAValue, view: View) -> None:
        """Let `value` lie there."""
        self._views[value] = view

    def result(self, value: SSAValue, kind: str) -> View:
        """A new buffer for `value`."""
        made = self.buffer(nn.shape_of(value), dtype_of(nn.tensor_type(value)), kind)
        self.bind(value, made)
        return made

    def buffer(self, shape: Sequence[int], dtype: str, kind: str) -> View:
        """A new buffer; InputError for more elements than offsets reach."""
        if prod(shape) >= LARGEST:
            raise InputError([Diagnostic("triton-size", f"{kind} writes {tuple(shape)}, 2^31 elements or more")])
        variable = self.names.number(kind)
        self.lines.append(f'    {variable} = empty({tuple(shape)}, "{dtype}")')
        return self.declared(variable, shape, dtype)

    def declared(self, variable: str, shape: Sequence[int], dtype: str) -> View:
        """All of a variable of the function, an input or a buffer."""
        self.buffers[variable] = f"{dtype} {tuple(shape)}"
        return View.whole(variable, shape, dtype)

    def weight(self, key: str, values: np.ndarray, dtype: str) -> View:
        """A tensor that the function is given under `key`."""
        self.weights[key] = values.astype(numpy_dtype(dtype))
        return View.whole(f"w[{quoted(key)}]", values.shape, dtype)

    def weight_op(self, op: nn.WeightOp) -> None:
        """The values that the network has of a weight; given to the function if somebody reads them as they are."""
        if op.weight.data not in self._given:
            raise InputError([Diagnostic("weight", f"weight `{op.weight.data}` has no values")])
        self.origins[op.result] = op
        name, dtype = op.weight.data, weight_dtype(op.type)
        self.later(op.result, lambda: self.bind(op.result, self.weight(name, self.values(op), dtype)))

    def values(self, op: nn.WeightOp) -> np.ndarray:
        """The values that the network has of a weight."""
        return self._given[op.weight.data]

    def launch(self, module: str, wrapper: str, *arguments: object, comment: str = "", **options: object) -> None:
        """A call of a wrapper of the library."""
        self.launch_tiled([{}], module, wrapper, *arguments, comment=comment, **options)

    def launch_tiled(
        self, tiles: Sequence[Tile], module: str, wrapper: str, *arguments: object, comment: str, **options: object
    ) -> None:
        """The same with one of `tiles` behind its options: the first, unless another is measured to be faster."""
        self.imports.setdefault(module, set()).add(wrapper)
        named = {key: quoted(value) if isinstance(value, str) else value for key, value in options.items()}
        given = tuple(each if isinstance(each, Brackets) else str(each) for each in arguments)
        self.lines.append(Launch(wrapper, given, named, tuple(tiles), comment))

    def copied(self, view: View, kind: str = "copy") -> View:
        """The elements of `view` together in order in a buffer of their own."""
        out = self.buffer(view.sizes, view.dtype, kind)
        self.launch("copy", "copy", view, out, block=1024, num_warps=4, comment=f"{view.sizes}")
        return out

    def contiguous(self, view: View, sizes: Sequence[int] | None = None) -> View:
        """`view`, or a copy of it, with its elements together in order, in the shape `sizes`."""
        view = view if view.contiguous else self.copied(view)
        return view if sizes is None else _must(view.reshaped(sizes))

    def reshaped(self, view: View, sizes: Sequence[int]) -> View:
        """`view` in another shape, copied only if it must be."""
        return view.reshaped(sizes) or self.contiguous(view, sizes)

    def row_tiles(self, rows: int, n: int, called: str, columns: str | None) -> list[Tile]:
        """Tiles of a kernel over `rows` rows of n elements, under the names that its wrapper has for its sides."""
        ranked = ranked_row_tiles(self.device, row_tiles(self.device, rows, n))
        return tried(tiles.options(called, columns) for tiles in ranked)

    def product_tiles(self, work: Work) -> list[Tile]:
        """Tiles of a kernel for a product of matrices."""
        return tried(tiles.options for tiles in ranked_tiles(self.device, work))

    def function(self, kind: str, parameters: Sequence[str], body: Sequence[str]) -> str:
        """The name of a jitted function of that text: one for all that are equal."""
        text = "\n".join([f"({', '.join(parameters)}):", *body])
        if text not in self.functions:
            self.functions[text] = self.names.number(kind)
        return self.functions[text]


@cache
def _library() -> frozenset[str]:
    """The functions of the library, which emitted files import by name."""
    return frozenset(name for text in kernel_texts().values() for name in re.findall(r"^def (\w+)", text, re.MULTILINE))


def _must(view: View | None) -> View:
    assert view is not None
    return view


def emit_network(network: nn.NnModule, name: str, device: Device) -> NetworkSource:
    """
    The function for `network`, lowered for a GPU, called `name` where that is free; `device` decides about tiles.

    Raises `InputError` for operators that no kernel computes, open sizes, element types that code is not emitted for,
    weights without values, and buffers of 2^31 elements or more.
    """
    from .network_ops import write_op

    if missing := ", ".join(sorted(nn.open_names(network.module))):
        raise InputError([Diagnostic("triton-sizes", f"Triton code needs sizes for {missing}")])
    name = network_name(name, (*RESERVED, *_library()))
    emitter = Emitter(network, name, device)
    main = nn.main_of(network.module)
    inputs = []
    for given, arg in zip(network.input_names, main.body.block.args, strict=True):
        variable = emitter.names.claim(given)
        shape, dtype = nn.shape_of(arg), dtype_of(nn.tensor_type(arg))
        inputs.append((variable, shape, dtype))
        emitter.bind(arg, emitter.declared(variable, shape, dtype))
    for op in main.body.block.ops:
        if isinstance(op, ReturnOp):
            _write_return(emitter, op)
        else:
            try:
                write_op(emitter, op)
            except InputError as error:
                raise located(error, op) from error
    return NetworkSource(
        name=name,
        body=tuple(emitter.lines),
        imports=emitter.imports,
        functions={called: text for text, called in emitter.functions.items()},
        buffers=emitter.buffers,
        weights=emitter.weights,
        inputs=tuple(inputs),
        outputs=network.output_names,
    )


def _write_return(emitter: Emitter, op: Operation) -> None:
    results = []
    for value in op.operands:
        view = emitter.view(value)
        alone = view.contiguous and not view.variable.startswith("w[")
        results.append(str(view if alone else emitter.copied(view, "out")))
    emitter.lines += lay_out(prefixed("return ", call("", *results) if len(results) > 1 else f"({results[0]},)"))
