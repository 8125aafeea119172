"""One op on arrays, by the reference meaning and by onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import f32, f64, i1, i8, i32, i64
from xdsl.ir import Block

from dovetail.ir import nn
from dovetail.ir.interpret import evaluate

Apply = Callable[..., tuple[np.ndarray, ...]]

ELEMENTS = {"float64": f64, "float32": f32, "bool": i1, "int8": i8, "int32": i32, "int64": i64}


@pytest.fixture
def results() -> Apply:
    """`results(kind, *arrays, **attributes)`: all results of one op, whose shapes are those it says."""

    def run(kind: type[nn.TensorOp], /, *operands: Any, **given: Any) -> tuple[np.ndarray, ...]:
        arrays = [np.asarray(o) for o in operands]
        block = Block(arg_types=[nn.tensor(ELEMENTS[str(a.dtype)], a.shape) for a in arrays])
        op = kind.make(*block.args, **given)
        with np.errstate(all="ignore"):
            found = evaluate(op, arrays, {})
        for result, array in zip(op.results, found, strict=True):
            assert array.shape == nn.shape_of(result)
            assert array.dtype == (np.float64 if nn.is_float(nn.tensor_type(result).element_type) else np.int64)
        return found

    return run


@pytest.fixture
def result(results: Apply) -> Callable[..., np.ndarray]:
    """`result(kind, *arrays, **attributes)`: the result of an op that has one."""

    def run(kind: type[nn.TensorOp], /, *operands: Any, **given: Any) -> np.ndarray:
        (found,) = results(kind, *operands, **given)
        return found

    return run


@pytest.fixture
def ort() -> Callable[..., list[np.ndarray]]:
    """`ort("Conv", x, w, strides=[2, 2])`: the outputs of one ONNX operator; an input may be None."""
    import onnxruntime
    from onnx import ValueInfoProto, helper

    def run(kind: str, *inputs: Any, outputs: int = 1, opset: int = 21, **attributes: Any) -> list[np.ndarray]:
        given = {f"x{i}": np.asarray(x) for i, x in enumerate(inputs) if x is not None}
        names = [f"x{i}" if x is not None else "" for i, x in enumerate(inputs)]
        made = [f"y{i}" for i in range(outputs)]
        node = helper.make_node(kind, names, made, **attributes)
        types = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
            for name, x in given.items()
        ]
        ends = [ValueInfoProto(name=name) for name in made]
        graph = helper.make_graph([node], "one", types, ends)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(made, given)  # type: ignore[return-value]

    return run


@pytest.fixture
def x64():
    """JAX computes in float64 and int64."""
    import jax

    with jax.enable_x64(True):
        yield
