"""What PyTorch exports to ONNX means what PyTorch computes; run where torch and onnxscript are installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dovetail.ir.interpret import interpret
from dovetail.ir.read.onnx import read_onnx

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

EXAMPLES = {
    "convolutions": lambda nn: (
        nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.SiLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 4, 1, groups=4),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, 5),
        ),
        (2, 3, 8, 8),
    ),
    "an encoder": lambda nn: (nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, activation="gelu"), (2, 5, 16)),
    "upsampling": lambda nn: (
        nn.Sequential(nn.ConvTranspose2d(2, 4, 2, stride=2), nn.GroupNorm(2, 4), nn.Upsample(scale_factor=2)),
        (1, 2, 4, 4),
    ),
    "one dimension": lambda nn: (nn.Sequential(nn.Conv1d(4, 6, 3, dilation=2), nn.GELU(), nn.AvgPool1d(2)), (2, 4, 12)),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_exported_module_means_what_torch_computes(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, shape = EXAMPLES[name](torch.nn)
    hold(module.eval(), shape, tmp_path / "module.onnx")


def hold(module: Any, shape: tuple[int, ...], path: Path) -> None:
    x = torch.randn(*shape)
    torch.onnx.export(module, (x,), str(path), dynamo=True, verbose=False)
    network = read_onnx(path)
    network.module.verify()
    (found,) = interpret(network.module, [x.numpy()], network.weights)
    with torch.no_grad():
        wanted = module(x).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
