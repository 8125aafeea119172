"""Networks in files: an .onnx, a Hugging Face config.json at the sizes of a visit, or an .mlir of our own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from ..diagnostics import Diagnostic, InputError

if TYPE_CHECKING:
    from ..nn import NnModule

SUFFIXES = (".onnx", ".json", ".mlir")
SIZES = ("batch", "tokens")
"""The sizes that a node in graph.yaml may give."""
MOST_SEEDED = 10**9
"""weights that are drawn: they take 4 GB"""


def read_network(path: Path, sizes: Mapping[str, float] | None = None) -> NnModule:
    """
    The network in the file at `path`, with `sizes` for the names of its open sizes; those of a config.json are `batch`
    (1 unless said), and `tokens`, which it works through at once, or `context`, which one more token follows; it is
    without values of weights.

    InputError where it cannot be read, where a size that it depends on is not given, and for a size that it has not.
    """
    given = {name: int(size) for name, size in (sizes or {}).items()}
    if path.suffix == ".onnx":
        from .onnx import read_onnx

        return read_onnx(path, given)
    if path.suffix == ".json":
        return closed(str(path), _read_config(path, given), {})
    return closed(str(path), open_network(path), given)


def open_network(path: Path) -> NnModule:
    """
    The network in the file at `path` with the sizes that it leaves open; those of a config.json are `batch` and
    `tokens`. InputError where it cannot be read.
    """
    match path.suffix:
        case ".onnx":
            from .onnx import read_onnx

            return read_onnx(path)
        case ".json":
            from .huggingface import read_config

            return read_config(path, batch="batch", sequence="tokens")
        case ".mlir":
            from .saved import load_network

            return load_network(path)
    message = f"`{path}` is no network: neither an .onnx, a config.json nor an .mlir"
    raise InputError([Diagnostic("unsupported", message, help="`dovetail plan` takes a graph.yaml")])


def _read_config(path: Path, sizes: Mapping[str, int]) -> NnModule:
    from .huggingface import read_config

    _require_known(str(path), sizes, ("batch", "tokens", "context"))
    batch = sizes.get("batch", 1)
    if "context" in sizes:
        return read_config(path, batch=batch, sequence=sizes["context"], mode="decode")
    return read_config(path, batch=batch, sequence=sizes.get("tokens", "tokens"))


def closed(name: str, network: NnModule, sizes: Mapping[str, int]) -> NnModule:
    """`network`, called `name` in messages, with `sizes` for its open sizes; InputError unless they are these."""
    from ..nn import open_names, with_sizes

    names = open_names(network.module)
    _require_known(name, sizes, names)
    if missing := sorted(names - sizes.keys()):
        wanted = ",".join(f"{each}=512" for each in missing)
        help = f"give a command `--sizes {wanted}`" + (", or a node `tokens: 512`" if "tokens" in missing else "")
        message = f"the network of `{name}` has open sizes: {', '.join(missing)}"
        raise InputError([Diagnostic("network-size", message, help=help)])
    return replace(network, module=with_sizes(network.module, sizes)) if sizes else network


def _require_known(name: str, sizes: Mapping[str, int], known: Collection[str]) -> None:
    """InputError for a size that the network has not, or below 1."""
    wrong = [f"`{name}` has no size `{each}`" for each in sizes if each not in known]
    wrong += [f"the size `{each}` is {size}, and must be at least 1" for each, size in sizes.items() if size < 1]
    if wrong:
        raise InputError([Diagnostic("network-size", each) for each in wrong])


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
