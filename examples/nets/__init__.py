"""The networks of the experiment in COSMA (arXiv 2311.18246), as tensor graphs written from their papers' definitions.

python -m examples.nets FOLDER      writes all as tensor-graph JSON
"""

from __future__ import annotations

from collections.abc import Callable

from .amoebanet import amoebanet_d
from .builder import Net
from .darts import darts
from .densenet import densenet121
from .lraspp import lraspp_mobilenetv3
from .nasnet import nasnet_a
from .pnasnet import pnasnet5
from .r2plus1d import r2plus1d18
from .resnet import resnet50, resnext50
from .s3d import s3d
from .segmentation import deeplabv3_resnet50, fcn_resnet50
from .transformer import transformer
from .vit import vit_b16

DESIGNED: tuple[Callable[[], Net], ...] = (
    resnet50,
    densenet121,
    resnext50,
    r2plus1d18,
    s3d,
    fcn_resnet50,
    lraspp_mobilenetv3,
    deeplabv3_resnet50,
    transformer,
    vit_b16,
)
"""designed by people"""
SEARCHED: tuple[Callable[[], Net], ...] = (pnasnet5, amoebanet_d, nasnet_a, darts)
"""found by neural architecture search"""
