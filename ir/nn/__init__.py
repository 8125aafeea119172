"""
The `nn` dialect: tensor operators as SSA ops, after ONNX where ONNX has the operator.

A network is a module with one `func.func @main(inputs) -> outputs` of builtin tensor types;
its body is one block of nn ops that ends in `func.return`. Weights are `nn.weight {weight = "name"}` ops whose values
stand in a dictionary of numpy arrays beside the module (`NnModule`). Images are (n, c, h, w). Every op
is pure, and carries a location naming where it came from. All data are attributes, so that the module also verifies in
MLIR through IRDL.

    from dovetail.ir import nn
    y = nn.Conv2dOp.make(x, w, strides=(2, 2))        # infers the result type, raises VerifyException

Sizes may be open (`sizes.py`). The reference meaning of every op is in `ir/meaning`.
"""

from xdsl.ir import Dialect

from . import attention, collectives, experts, fused, fusion, layout, products, quantise, reductions, scalars, windows
from .attention import AttentionOp, PagedAttentionOp, RotaryOp
from .base import Shape, Tensor, TensorOp, integer, ints, number, shape_in, shape_of, tensor, tensor_type, with_shape
from .collectives import (
    AllGatherOp,
    AllReduceOp,
    AllToAllOp,
    CollectiveOp,
    PermuteOp,
    RankOp,
    ReduceScatterOp,
    ShardOp,
)
from .experts import CombineOp, DispatchOp, GroupedMatmulOp, RouteOp
from .fused import FusedElementwiseOp, StepAttr
from .fusion import FusionOp
from .layout import BroadcastOp, ConcatOp, FillOp, ReshapeOp, SliceOp, TransposeOp, WeightOp
from .module import NnModule, body_of, build_main, main_of
from .open_sizes import open_names, sizes_given, with_sizes
from .products import GemmOp, MatmulOp
from .quantise import DequantiseOp, QuantiseOp
from .reductions import BatchNormOp, ReduceOp, SoftmaxOp
from .scalars import (
    BINARY,
    ELEMENTWISE,
    UNARY,
    AddOp,
    BinaryOp,
    DivOp,
    ElementwiseOp,
    ErfOp,
    ExpOp,
    LogOp,
    MaxOp,
    MinOp,
    MulOp,
    NegOp,
    ReluOp,
    RsqrtOp,
    SigmoidOp,
    SqrtOp,
    SubOp,
    TanhOp,
    UnaryOp,
)
from .shapes import broadcast, broadcasts_to
from .sizes import Size, Undecided, size_of
from .windows import AveragePoolOp, Conv2dOp, MaxPoolOp, PoolOp, WindowOp

LAYOUT = layout.OPS
OPS = (
    *scalars.OPS,
    *fused.OPS,
    *fusion.OPS,
    *windows.OPS,
    *products.OPS,
    *reductions.OPS,
    *layout.OPS,
    *collectives.OPS,
    *attention.OPS,
    *experts.OPS,
    *quantise.OPS,
)
Nn = Dialect("nn", [*OPS], [StepAttr])

__all__ = [
    "BINARY",
    "ELEMENTWISE",
    "LAYOUT",
    "OPS",
    "UNARY",
    "AddOp",
    "AllGatherOp",
    "AllReduceOp",
    "AllToAllOp",
    "AttentionOp",
    "AveragePoolOp",
    "BatchNormOp",
    "BinaryOp",
    "BroadcastOp",
    "CollectiveOp",
    "CombineOp",
    "ConcatOp",
    "Conv2dOp",
    "DequantiseOp",
    "DispatchOp",
    "DivOp",
    "ElementwiseOp",
    "ErfOp",
    "ExpOp",
    "FillOp",
    "FusedElementwiseOp",
    "FusionOp",
    "GemmOp",
    "GroupedMatmulOp",
    "LogOp",
    "MatmulOp",
    "MaxOp",
    "MaxPoolOp",
    "MinOp",
    "MulOp",
    "NegOp",
    "Nn",
    "NnModule",
    "PagedAttentionOp",
    "PermuteOp",
    "PoolOp",
    "QuantiseOp",
    "RankOp",
    "ReduceOp",
    "ReduceScatterOp",
    "ReluOp",
    "ReshapeOp",
    "RotaryOp",
    "RouteOp",
    "RsqrtOp",
    "Shape",
    "ShardOp",
    "SigmoidOp",
    "Size",
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
    "Undecided",
    "WeightOp",
    "WindowOp",
    "body_of",
    "broadcast",
    "broadcasts_to",
    "build_main",
    "integer",
    "ints",
    "main_of",
    "number",
    "open_names",
    "shape_in",
    "shape_of",
    "size_of",
    "sizes_given",
    "tensor",
    "tensor_type",
    "with_shape",
    "with_sizes",
]
