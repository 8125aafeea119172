"""
A network as an int8 TFLite model: the structure, with weights drawn from a seed and one scale for all tensors.

What Vela estimates hangs on shapes, and on weights only as far as they compress; outputs mean nothing. Schema:
tensorflow/lite/schema/schema.fbs, version 3, by the classes that ethos-u-vela brings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Operation, SSAValue

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError

CODES = {
    "CONCATENATION": 2, "CONV_2D": 3, "AVERAGE_POOL_2D": 1, "MAX_POOL_2D": 17, "ADD": 0, "RELU": 19,
}  # fmt: skip
"""Operator -> its number in BuiltinOperator of the schema"""
INT8, INT32 = 9, 2
"""numbers in TensorType"""
SAME, VALID = 0, 1
"""numbers in Padding"""
SCALE = 1 / 64
VERSION = 3


def tflite_bytes(network: nn.NnModule, seed: int = 0) -> bytes:
    """
    `network`, lowered for an NPU, up to the first op that is not known here or the end.

    Known are convolutions without groups, pools, means over an image, sums and concatenations of channels, and ReLU.
    InputError where even the first op is none, or where its padding is neither `same` nor none.
    """
    return _Writer(np.random.default_rng(seed)).model(network)


def _schema(table: str) -> Any:
    return import_module(f"ethosu.vela.tflite.{table}")


class _Writer:
    """One model while it is written."""

    def __init__(self, rng: np.random.Generator) -> None:
        from flatbuffers import Builder

        self.rng = rng
        self.b: Any = Builder(1 << 20)
        self.buffers: list[int] = []
        self.tensors: list[int] = []
        self.operators: list[int] = []
        self.number: dict[SSAValue, int] = {}

    def model(self, network: nn.NnModule) -> bytes:
        main = nn.main_of(network.module)
        self._buffer(None)
        inputs = [self._activation(arg) for arg in main.args]
        last: SSAValue | None = None
        for op in main.body.block.ops:
            if isinstance(op, nn.WeightOp):
                continue
            if isinstance(op, ReturnOp) or type(op) not in WRITERS:
                break
            WRITERS[type(op)](self, op)
            last = op.results[0]
        if last is None:
            raise InputError(
                [Diagnostic("vela-op", "the network begins with an operator that TFLite is not written for")]
            )
        codes = [
            self._table("OperatorCode", BuiltinCode=code, DeprecatedBuiltinCode=code, Version=1)
            for code in CODES.values()
        ]
        graph = self._table(
            "SubGraph", Tensors=self._offsets(self.tensors), Inputs=self._ints(inputs),
            Outputs=self._ints([self.number[last]]), Operators=self._offsets(self.operators),
        )  # fmt: skip
        model = self._table(
            "Model", Version=VERSION, OperatorCodes=self._offsets(codes), Subgraphs=self._offsets([graph]),
            Buffers=self._offsets(self.buffers),
        )  # fmt: skip
        self.b.Finish(model, b"TFL3")
        return bytes(self.b.Output())

    def write_conv(self, op: nn.ConvOp) -> None:
        (m, c, r, s) = nn.shape_of(op.w)
        if nn.integer(op.groups) != 1:
            raise InputError([Diagnostic("vela-op", "TFLite is not written for convolutions in groups")])
        weights = self._constant(self.rng.integers(-127, 128, (m, r, s, c), np.int8), INT8)
        bias = self._constant(np.zeros(m, np.int32), INT32, SCALE * SCALE)
        strides, dilations = nn.ints(op.strides), nn.ints(op.dilations)
        options = self._table(
            "Conv2DOptions", Padding=_padding(op, (r, s)), StrideH=strides[0], StrideW=strides[1],
            DilationHFactor=dilations[0], DilationWFactor=dilations[1],
        )  # fmt: skip
        self._operator("CONV_2D", [self.number[op.x], weights, bias], op, 1, options)

    def write_pool(self, op: nn.MaxPoolOp | nn.AveragePoolOp) -> None:
        kernel, strides = nn.ints(op.kernel), nn.ints(op.strides)
        code = "MAX_POOL_2D" if isinstance(op, nn.MaxPoolOp) else "AVERAGE_POOL_2D"
        self._pool(code, op, op.x, kernel, strides, _padding(op, kernel))

    def write_mean(self, op: nn.ReduceOp) -> None:
        if op.kind.data != "mean" or nn.ints(op.axes) != (2, 3):
            raise InputError([Diagnostic("vela-op", "TFLite is written for means over whole images alone")])
        self._pool("AVERAGE_POOL_2D", op, op.x, nn.shape_of(op.x)[2:], (1, 1), VALID)

    def write_concat(self, op: nn.ConcatOp) -> None:
        if nn.integer(op.axis) != 1:
            raise InputError([Diagnostic("vela-op", "TFLite is written for concatenations of channels alone")])
        self._operator(
            "CONCATENATION", [self.number[x] for x in op.operands], op, 10, self._table("ConcatenationOptions", Axis=3)
        )

    def write_add(self, op: nn.ElementwiseOp) -> None:
        self._operator("ADD", [self.number[x] for x in op.operands], op, 11, self._table("AddOptions"))

    def write_relu(self, op: nn.ElementwiseOp) -> None:
        self._operator("RELU", [self.number[op.operands[0]]], op, 0, 0)

    def _pool(
        self, code: str, op: Operation, x: SSAValue, kernel: Sequence[int], strides: Sequence[int], padding: int
    ) -> None:
        options = self._table(
            "Pool2DOptions", Padding=padding, StrideH=strides[0], StrideW=strides[1], FilterHeight=kernel[0],
            FilterWidth=kernel[1],
        )  # fmt: skip
        self._operator(code, [self.number[x]], op, 5, options)

    def _operator(self, code: str, inputs: list[int], op: Operation, kind: int, options: int) -> None:
        made = [self._activation(result) for result in op.results]
        given = {"BuiltinOptionsType": kind, "BuiltinOptions": options} if options else {}
        index = list(CODES).index(code)
        self.operators.append(
            self._table("Operator", OpcodeIndex=index, Inputs=self._ints(inputs), Outputs=self._ints(made), **given)
        )

    def _activation(self, value: SSAValue) -> int:
        n, c, *image = nn.shape_of(value)
        self.number[value] = self._tensor((n, *image, c), INT8, 0, SCALE)
        return self.number[value]

    def _constant(self, array: np.ndarray, kind: int, scale: float = SCALE) -> int:
        return self._tensor(array.shape, kind, self._buffer(array.tobytes()), scale)

    def _tensor(self, shape: Sequence[int], kind: int, buffer: int, scale: float) -> int:
        name = self.b.CreateString(f"t{len(self.tensors)}")
        scales, zeros = (
            self.b.CreateNumpyVector(np.array([scale], np.float32)),
            self.b.CreateNumpyVector(np.zeros(1, np.int64)),
        )
        measure = self._table("QuantizationParameters", Scale=scales, ZeroPoint=zeros)
        given = {"Shape": self._ints(shape), "Type": kind, "Buffer": buffer, "Name": name, "Quantization": measure}
        self.tensors.append(self._table("Tensor", **given))
        return len(self.tensors) - 1

    def _buffer(self, data: bytes | None) -> int:
        given = {} if data is None else {"Data": self.b.CreateByteVector(data)}
        self.buffers.append(self._table("Buffer", **given))
        return len(self.buffers) - 1

    def _ints(self, values: Sequence[int]) -> int:
        return self.b.CreateNumpyVector(np.array(values, np.int32))

    def _offsets(self, values: Sequence[int]) -> int:
        self.b.StartVector(4, len(values), 4)
        for value in reversed(values):
            self.b.PrependUOffsetTRelative(value)
        return self.b.EndVector()

    def _table(self, kind: str, **fields: Any) -> int:
        schema = _schema(kind)
        schema.Start(self.b)
        for name, value in fields.items():
            getattr(schema, f"Add{name}")(self.b, value)
        return schema.End(self.b)


def _padding(op: nn.ConvOp | nn.PoolOp, kernel: Sequence[int]) -> int:
    """SAME or VALID; InputError for others."""
    pads = nn.ints(op.pads)
    if not any(pads):
        return VALID
    sizes = zip(nn.shape_of(op.x)[2:], nn.ints(op.strides), nn.ints(op.dilations), kernel, strict=True)
    whole = [max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0) for n, s, d, k in sizes]
    if pads == (*(each // 2 for each in whole), *(each - each // 2 for each in whole)):
        return SAME
    raise InputError([Diagnostic("vela-op", f"the padding {pads} is neither TFLite's `same` nor none")])


WRITERS: dict[type[Operation], Callable[[_Writer, Any], None]] = {
    nn.ConvOp: _Writer.write_conv,
    nn.MaxPoolOp: _Writer.write_pool,
    nn.AveragePoolOp: _Writer.write_pool,
    nn.ReduceOp: _Writer.write_mean,
    nn.ConcatOp: _Writer.write_concat,
    nn.AddOp: _Writer.write_add,
    nn.ReluOp: _Writer.write_relu,
}
