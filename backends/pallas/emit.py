"""Emits a tensor network as a JAX program whose heavy operators are Pallas kernels, for a TPU and without one."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from xdsl.ir import Operation, SSAValue

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from ...passes.locations import location_text
from .. import OutputFile, safetensors
from ..dtypes import dtype_of, has_wide
from ..jax import layers, transformer_layers
from ..jax.axes import AxisNames
from ..jax.frame import Input
from ..jax.names import Names, network_name
from ..jax.operators import LAYERS
from ..jax.run_template import run_script
from ..jax.scalars import INTEGER_DIV
from ..jax.statements import Body
from ..jax.weights import UsedWeights
from ..python_text import LIBRARY_COLUMNS, Brackets, Expression, call
from .calls import HEAVY, KernelCall, call_of
from .epilogue import Epilogue
from .frame import KERNELS, program_text
from .kernels import FOLDER
from .prepare import prepared

FUNCTIONS = ("matmul", "convolution_nchw", "flash_attention", "norm", "gelu")
RESERVED = (
    "w", "jax", "jnp", "lax", "np", "Array", "Path", "Any", "partial", "INPUTS", "OUTPUTS", "INTERPRET", "tpu",
    "interpret", "load_weights", KERNELS, *FUNCTIONS,
)  # fmt: skip
"""names of the emitted module that neither a variable nor the network may take"""


@dataclass(frozen=True)
class PallasSource:
    """The sources of one network, and beside them its weights under the keys that the sources use."""

    name: str
    """of the network: a Python identifier"""
    sources: Mapping[str, str]
    """`<name>.py`, the kernels that it calls, `weights_file.py` and `run.py`, by path"""
    weights: Mapping[str, np.ndarray]
    inputs: tuple[tuple[tuple[int, ...], str], ...]
    """shape and dtype in graph order"""
    left: tuple[str, ...] = ()
    """why each heavy operator that XLA computes has no kernel, with its place"""

    @property
    def weights_file(self) -> str:
        """What the file of its weights is called."""
        return f"{self.name}.safetensors"

    def files(self, folder: str, weights_file: str | None = None) -> list[OutputFile]:
        """The sources, and the weights as `weights_file` (`<name>.safetensors`), in `folder` of the output folder."""
        texts = [OutputFile(f"{folder}/{path}", text) for path, text in self.sources.items()]
        data = safetensors.safetensors_bytes(self.weights)
        return [*texts, OutputFile(f"{folder}/{weights_file or self.weights_file}", data)]


@dataclass
class _Calls:
    """The calls of kernels of one network, as text, and what they need from around them."""

    weights: UsedWeights
    names: Names
    made: dict[Operation, KernelCall] = field(default_factory=dict)
    imports: dict[str, set[str]] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    """text behind the name -> name of a function that follows products"""
    left: dict[str, list[str]] = field(default_factory=dict)
    """why operators that could have a kernel have none -> where they are"""

    def find(self, ops: list[Operation], vmem_bytes: float) -> None:
        """Fill `made`, and `left` with the reasons for heavy operators without a kernel."""
        for op in ops:
            try:
                found, why = call_of(op, vmem_bytes), ""
            except InputError as error:
                found, why = None, f", since {error.diagnostics[0].message}"
            if found is not None:
                self.made[op] = found
            elif why or isinstance(op, HEAVY):
                self.left.setdefault(f"`{op.name}`{why}", []).append(location_text(op.location))

    def reasons(self) -> tuple[str, ...]:
        """`nn.conv`, since ..., at `stem` and 3 more."""
        return tuple(f"{why}{_places(places)}" for why, places in self.left.items())

    def text(self, op: Operation, body: Body) -> Expression:
        """The call of `op`."""
        made = self.made[op]
        self.imports.setdefault(made.module, set()).add(made.function)
        items = [self._operand(value, axes, body) for value, axes in made.operands]
        blocks = ", ".join(f'"{loop}": {made.plan.blocks[loop]}' for loop in _LOOPS[made.module])
        options = {"blocks": f"{{{blocks}}}", **made.options}
        if made.epilogue is not None:
            options["activation"] = self._function(made.epilogue)
            beside = [body.text(value) for value in made.epilogue.beside]
            if beside:
                options["beside"] = f"({', '.join(beside)}{',' if len(beside) == 1 else ''})"
        found = call(made.function, *items, **options)
        return Brackets(found.opening, (*found.items, "**tpu"), found.closing)

    def _operand(self, value: SSAValue, axes: tuple[int, ...], body: Body) -> str:
        if axes and isinstance(value.owner, nn.WeightOp):
            return self.weights.turned_text(value.owner, axes)
        return f"{body.text(value)}.transpose{axes}" if axes else body.text(value)

    def _function(self, epilogue: Epilogue) -> str:
        for name in epilogue.own:
            self.imports.setdefault("activations", set()).add(name)
        if epilogue.function:
            return epilogue.function
        given = ", ".join(f"{each}: Array" for each in epilogue.parameters)
        text = "\n".join([f"({given}) -> Array:", '    """What follows a product, block by block."""', *epilogue.lines])
        if text not in self.functions:
            self.functions[text] = self.names.number("epilogue")
        return self.functions[text]


_LOOPS = {"matmul": "mnk", "convolution": "pkc", "attention": "ij", "norm": ("row",)}
"""Loops whose blocks a kernel takes, by its module."""


def emit_pallas(network: nn.NnModule, name: str, device: str, vmem_bytes: float) -> PallasSource:
    """
    The JAX program of `network`, lowered for an NPU, on the catalogue's `device` with so much VMEM for a core.

    InputError where no operator has a kernel that fits, and as for `emit_jax`.
    """
    if missing := ", ".join(sorted(nn.open_names(network.module))):
        raise InputError([Diagnostic("pallas-sizes", f"Pallas kernels need sizes for {missing}")])
    network = prepared(network, device, vmem_bytes)
    main = nn.main_of(network.module)
    name = network_name(name, [*RESERVED, *_LAYERS])
    names, weights = Names([*RESERVED, *_LAYERS, name]), UsedWeights(network.weights)
    axes = AxisNames(list(nn.body_of(network.module)))
    inputs = [
        Input(given, names.claim(given), nn.shape_of(arg), dtype_of(nn.tensor_type(arg)), axes.shown(arg))
        for given, arg in zip(network.input_names, main.args, strict=True)
    ]
    calls = _Calls(weights, names)
    ops = list(main.body.block.ops)
    calls.find(ops, vmem_bytes)
    if not calls.made:
        left = (f"no Pallas kernel computes {reason}" for reason in calls.reasons())
        why = "; ".join(left) or "none of its operators has a Pallas kernel"
        raise InputError([Diagnostic("pallas-op", why)])
    body = Body(
        [op for op in ops if not _only_literal(op, calls.made)],
        names,
        weights,
        axes,
        {op: partial(calls.text, op) for op in calls.made},
    )
    for given, value in zip(inputs, main.args, strict=True):
        body.bind(value, given.variable)
    body.write()
    functions = [f"def {called}{text}" for text, called in calls.functions.items()]
    functions += [inspect.getsource(function) for key, function in _LAYERS.items() if key in body.layers]
    summary = _summary(ops, calls.made)
    text = program_text(
        name,
        summary,
        inputs,
        network.output_names,
        calls.imports,
        functions,
        body.lines,
        int(vmem_bytes),
        has_wide(network.module),
    )
    sources = {f"{name}.py": text, **_kernels(calls.imports)}
    sources |= {"weights_file.py": inspect.getsource(safetensors), "run.py": run_script(name)}
    given = tuple((each.shape, each.dtype) for each in inputs)
    return PallasSource(name, sources, weights.used, given, calls.reasons())


def _kernels(imports: Mapping[str, set[str]]) -> dict[str, str]:
    """The kernels that are called, as they stand in the library, and how wide their lines are."""
    texts = {module: (FOLDER / f"{module}.py").read_text(encoding="utf-8") for module in sorted(imports)}
    files = {f"{KERNELS}/{module}.py": text for module, text in texts.items()}
    return {**files, f"{KERNELS}/ruff.toml": f"line-length = {LIBRARY_COLUMNS}\n"}


def _summary(ops: list[Operation], made: Mapping[Operation, KernelCall]) -> str:
    """Which operators are kernels, and which are XLA's."""
    kernels = Counter(made[op].module for op in ops if op in made)
    others = Counter(op.name.removeprefix("nn.") for op in ops if op not in made and isinstance(op, nn.TensorOp))
    for each in ("weight", "fill"):
        del others[each]
    listed = [", ".join(f"{count} {kind}" for kind, count in sorted(found.items())) for found in (kernels, others)]
    return f"Kernels: {listed[0]}. XLA computes the rest: {listed[1] or 'nothing'}."


def _only_literal(op: Operation, made: Mapping[Operation, KernelCall]) -> bool:
    """Whether `op` is a number that stands inside the functions behind products alone."""
    return isinstance(op, nn.FillOp) and not nn.shape_of(op.result) and all(u.operation in made for u in op.result.uses)


def _places(places: list[str]) -> str:
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    return f", at `{places[0]}`{more}" if places[0] else f", {len(places)} times" if more else ""


_LAYERS: Mapping[str, Callable[..., object]] = {
    name: getattr(layers, name, None) or getattr(transformer_layers, name) for name in (*LAYERS.values(), INTEGER_DIV)
}
