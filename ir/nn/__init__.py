"""
The `nn` dialect: tensor operators as SSA ops, after ONNX where ONNX has the operator.

A network is a module with one `func.func @main(inputs) -> outputs` of builtin tensor types with static shapes;
its body is one block of nn ops that ends in `func.return`. Weights are `nn.weight {weight = "name"}` ops whose values
stand in a dictionary of numpy arrays beside the module (`NnModule`). Images are (n, c, h, w). Every op has one result,
is pure, and carries a location naming where it came from. All data are attributes, so that the module also verifies in
MLIR through IRDL.

    from dovetail.ir import nn
    y = nn.Conv2dOp.make(x, w, strides=(2, 2))        # infers the result type, raises VerifyException

The reference meaning of every op is in `ir/interpret.py`.
"""

from xdsl.ir import Dialect

from .base import Shape, Tensor, TensorOp, integer, ints, number, shape_of, tensor_type, with_shape
from .elementwise import (
    BINARY,
    ELEMENTWISE,
    UNARY,
    AddOp,
    BinaryOp,
    DivOp,
    ElementwiseOp,
    ErfOp,
    ExpOp,
    FusedElementwiseOp,
    LogOp,
    MaxOp,
    MinOp,
    MulOp,
    NegOp,
    ReluOp,
    RsqrtOp,
    SigmoidOp,
    SqrtOp,
    StepAttr,
    SubOp,
    TanhOp,
    UnaryOp,
    broadcast,
)
from .layers import (
    AveragePoolOp,
    BatchNormOp,
    Conv2dOp,
    GemmOp,
    MatmulOp,
    MaxPoolOp,
    PoolOp,
    ReduceOp,
    SoftmaxOp,
    WindowOp,
)
from .layout import BroadcastOp, ConcatOp, FillOp, ReshapeOp, SliceOp, TransposeOp, WeightOp
from .module import NnModule, body_of, build_main, main_of

LAYERS = (Conv2dOp, MaxPoolOp, AveragePoolOp, MatmulOp, GemmOp, BatchNormOp, SoftmaxOp, ReduceOp)
LAYOUT = (WeightOp, FillOp, ReshapeOp, BroadcastOp, TransposeOp, ConcatOp, SliceOp)
Nn = Dialect("nn", [*UNARY, *BINARY, FusedElementwiseOp, *LAYERS, *LAYOUT], [StepAttr])

__all__ = [
    "BINARY",
    "ELEMENTWISE",
    "LAYERS",
    "LAYOUT",
    "UNARY",
    "AddOp",
    "AveragePoolOp",
    "BatchNormOp",
    "BinaryOp",
    "BroadcastOp",
    "ConcatOp",
    "Conv2dOp",
    "DivOp",
    "ElementwiseOp",
    "ErfOp",
    "ExpOp",
    "FillOp",
    "FusedElementwiseOp",
    "GemmOp",
    "LogOp",
    "MatmulOp",
    "MaxOp",
    "MaxPoolOp",
    "MinOp",
    "MulOp",
    "NegOp",
    "Nn",
    "NnModule",
    "PoolOp",
    "ReduceOp",
    "ReluOp",
    "ReshapeOp",
    "RsqrtOp",
    "Shape",
    "SigmoidOp",
    "SliceOp",
    "SoftmaxOp",
    "SqrtOp",
    "StepAttr",
    "SubOp",
    "TanhOp",
    "Tensor",
    "TensorOp",
    "TransposeOp",
    "UnaryOp",
    "WeightOp",
    "WindowOp",
    "body_of",
    "broadcast",
    "build_main",
    "integer",
    "ints",
    "main_of",
    "number",
    "shape_of",
    "tensor_type",
    "with_shape",
]
