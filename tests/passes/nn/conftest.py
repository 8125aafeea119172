"""Networks written in few words, and passes held against the interpreter on random inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import TensorType, f64
from xdsl.ir import Attribute, Block, SSAValue

from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.passes.nn import run


@dataclass
class Net:
    """A network being written: `net("Add", x, 1.0)` gives the result of an `nn.add`; numbers become constants."""

    block: Block
    element: Attribute = f64
    values: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def inputs(self) -> list[SSAValue]:
        return list(self.block.args)

    def __call__(self, name: str, /, *operands: SSAValue | float, **given: Any) -> Any:
        values = [self.number(o) if isinstance(o, int | float) else o for o in operands]
        op = getattr(nn, f"{name}Op").make(*values, **given)
        self.block.add_op(op)
        return op.results[0] if len(op.results) == 1 else list(op.results)

    def number(self, value: float) -> SSAValue:
        return self("Fill", type=TensorType(self.element, []), value=float(value))

    def weight(self, array: Any, element: Attribute | None = None) -> SSAValue:
        name = f"w{len(self.values)}"
        self.values[name] = np.asarray(array)
        return self("Weight", type=self.type(self.values[name].shape, element), weight=name)

    def type(self, shape: Sequence[int], element: Attribute | None = None) -> nn.Tensor:
        return TensorType(element or self.element, list(shape))

    def network(self, *outputs: SSAValue) -> nn.NnModule:
        inputs = tuple(f"x{i}" for i in range(len(self.inputs)))
        module = nn.build_main(self.block, outputs)
        module.verify()
        return nn.NnModule(module, self.values, inputs, tuple(f"y{i}" for i in range(len(outputs))))


@dataclass
class Rewritten:
    """What passes made of a network."""

    network: nn.NnModule
    fired: dict[str, int]

    @property
    def kinds(self) -> list[str]:
        """The ops in order, without weights and constants."""
        names = [op.name.removeprefix("nn.") for op in nn.body_of(self.network.module)]
        return [name for name in names if name not in ("weight", "fill")]

    def op(self, kind: type) -> Any:
        """The one op of that class."""
        (found,) = [op for op in nn.body_of(self.network.module) if isinstance(op, kind)]
        return found


@pytest.fixture
def net() -> Callable[..., Net]:
    """`net((2, 3), (3,))`: an empty network with inputs of these shapes, in doubles unless said otherwise."""

    def make(*shapes: Sequence[int], element: Attribute = f64) -> Net:
        return Net(Block(arg_types=[TensorType(element, list(shape)) for shape in shapes]), element)

    return make


@pytest.fixture
def check() -> Callable[..., Rewritten]:
    """`check(network, passes)`: what the passes make of it, which must verify and mean the same to 1e-9."""

    def compare(network: nn.NnModule, passes: Sequence[str], device: str = "gpu", seed: int = 0) -> Rewritten:
        done, fired = run(network, passes, device)
        done.module.verify()
        rng = np.random.default_rng(seed)
        inputs = [rng.normal(size=nn.shape_of(arg)) for arg in nn.main_of(network.module).body.block.args]
        pairs = zip(*(interpret(n.module, inputs, n.weights) for n in (network, done)), strict=True)
        for before, after in pairs:
            np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-11)
        return Rewritten(done, fired)

    return compare
