"""Networks in files: an .onnx, a Hugging Face config.json at the sizes of a visit, or an .mlir of our own."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from ..diagnostics import Diagnostic, InputError

if TYPE_CHECKING:
    from ..nn import NnModule

SUFFIXES = (".onnx", ".json", ".mlir")
SIZES = ("batch", "tokens")
"""What a config.json leaves open; the keys of a node in graph.yaml."""
MOST_SEEDED = 10**9
"""weights that are drawn: they take 4 GB"""


def read_network(path: Path, sizes: Mapping[str, float] | None = None) -> NnModule:
    """
    The network in the file at `path`: of a config.json without values of weights, for `batch` (1 unless said) sequences
    of `tokens`, which it works through at once; an .onnx and an .mlir have sizes of their own.

    InputError where it cannot be read, and where a size that it depends on is not in `sizes`.
    """
    if path.suffix == ".onnx":
        from .onnx import read_onnx

        return read_onnx(path)
    if path.suffix == ".mlir":
        from .saved import load_network

        return load_network(path)
    from ..nn import open_names
    from .huggingface import read_config

    sizes = sizes or {}
    tokens = int(sizes["tokens"]) if "tokens" in sizes else "tokens"
    network = read_config(path, batch=int(sizes.get("batch", 1)), sequence=tokens)
    if open_names(network.module):
        help = "give a node `tokens: 512`, or a command `--sizes tokens=512`"
        message = f"the network of `{path}` needs the number of its tokens"
        raise InputError([Diagnostic("network-size", message, help=help)])
    return network


def with_weights(network: NnModule) -> NnModule:
    """`network` ready to run: a config.json has no weights, so they are seeded ones; InputError where they are huge."""
    from ..nn import WeightOp, body_of, shape_of
    from ..weights import fill_weights

    weights = [op for op in body_of(network.module) if isinstance(op, WeightOp)]
    missing = [op for op in weights if op.weight.data not in network.weights]
    count = sum(prod(shape_of(op.result)) for op in missing)
    if count > MOST_SEEDED:
        message = f"{count:.3g} weights without values are too many to be drawn; {MOST_SEEDED:.3g} are the most"
        raise InputError([Diagnostic("weights", message, help="export the model, with its weights, as an .onnx file")])
    return fill_weights(network, seed=0) if missing else network
