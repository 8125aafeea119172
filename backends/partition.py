"""`dovetail partition`: reads a network, shares it among devices, and says how."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..ir import nn
from ..ir.diagnostics import Diagnostic, InputError

if TYPE_CHECKING:
    from ..costmodel.hardware import Device

Sizes = Mapping[str, int]


def partition(
    model: str, devices: int, device: str, memory_bytes: int | None = None, sizes: Sizes | None = None
) -> dict[str, Any]:
    """
    How the network in the file `model` is best shared among `devices` of the catalogue's `device`, as plain data.

    `sizes` gives a number to each open size. InputError for what is wrong in the file or with the device, Infeasible
    where the network does not fit.
    """
    from ..planner.partition.plan import plan_partition

    network, found = _read(model, devices, device, sizes)
    document, _ = plan_partition(network, devices, found, memory_bytes)
    return {"model": Path(model).name, **document}


def pipeline(
    model: str, devices: int, device: str, memory_bytes: int | None = None, sizes: Sizes | None = None
) -> dict[str, Any]:
    """As `partition`, but as stages of whole ops in file order, one on each device, with the least period."""
    from ..planner.partition.plan import plan_pipeline

    network, found = _read(model, devices, device, sizes)
    return {"model": Path(model).name, **plan_pipeline(network, devices, found, memory_bytes)}


def _read(model: str, devices: int, device: str, sizes: Sizes | None) -> tuple[nn.NnModule, Device]:
    """The network, without open sizes, and the device; InputError for what is wrong with either."""
    from ..costmodel.hardware import find_device

    found = find_device(device)
    if found is None:
        raise InputError([Diagnostic("device", f"`{device}` is no device of the catalogue")])
    if devices < 1 or (devices > 1 and not found.link_bandwidth_bytes_per_s):
        message = f"`{device}` cannot be taken {devices} times, or has no link to others"
        raise InputError([Diagnostic("device", message)])
    network = read_model(model, sizes or {})
    still_open = nn.open_names(network.module)
    if still_open:
        given = " ".join(f"`--with {name}=N`" for name in sorted(still_open))
        raise InputError([Diagnostic("size", f"`{model}` has open sizes", help=f"give {given}")])
    return network, found


def read_sizes(texts: Sequence[str]) -> dict[str, int]:
    """Names and numbers of `NAME=N`; InputError for other text."""
    wrong = [text for text in texts if not re.fullmatch(r"[A-Za-z_]\w*=[1-9]\d{0,8}", text)]
    if wrong:
        raise InputError([Diagnostic("size", f"`{text}` is no size such as batch=8") for text in wrong])
    return {text.partition("=")[0]: int(text.partition("=")[2]) for text in texts}


def read_model(path: str, sizes: Sizes) -> nn.NnModule:
    """
    The network of an .onnx, a config.json of Hugging Face, or a module in .mlir.

    Of a config.json `sizes` may name `batch`, and `tokens` to be read or the `context` that one token follows.
    """
    suffix = Path(path).suffix
    if suffix == ".onnx":
        from ..ir.read.onnx import read_onnx

        return read_onnx(path, sizes)
    if suffix == ".json":
        from ..ir.read.huggingface import read_config

        length, mode = (sizes["context"], "decode") if "context" in sizes else (sizes.get("tokens", 1), "prefill")
        return read_config(path, batch=sizes.get("batch", 1), sequence=length, mode=mode)
    from ..ir.text import parse_module
    from ..ir.verify import verify_module

    try:
        module = parse_module(Path(path).read_text(encoding="utf-8"), path)
        verify_module(module, f"`{path}`")
        block = nn.main_of(module).body.block
    except (OSError, ValueError) as error:
        raise InputError([Diagnostic("file", f"`{path}` is no network: {error}")]) from error
    names = tuple(f"x{i}" for i in range(len(block.args)))
    return nn.NnModule(nn.with_sizes(module, sizes) if sizes else module, {}, names, ())


def partition_text(document: Mapping[str, Any]) -> str:
    """The plan for people."""
    lines = [f"{document['model']} on {document['devices']} x {document['device']}: {document['status']}", ""]
    lines.append(f"{'':24}{'time':>12}{'moves':>12}{'memory of one':>16}")
    titles = {"plan": "this plan", "each_op_alone": "each op by itself", "replicated": "all on every device"}
    for name, title in titles.items():
        row = document[name]
        fits = "" if row.get("fits", True) else "  does not fit"
        lines.append(f"{title:24}{_ms(row['seconds'])}{_ms(row['moves_s'])}{row['peak_bytes'] / 1e9:13.3f} GB{fits}")
    lines += ["", f"{'collective':24}{'count':>12}{'time':>12}{'bytes given':>16}"]
    for row in document["collectives"]:
        lines.append(f"{row['kind']:24}{row['count']:12}{_ms(row['seconds'])}{row['bytes'] / 1e6:13.3f} MB")
    lines += ["", f"{'weight':56}{'state':>8}{'on each':>14}"]
    alike = sorted((_layer_free(w["name"]), w["state"], w["bytes"]) for w in document["weights"])
    for (name, state, size), same in groupby(alike):
        count = len(list(same))
        times = f" x {count}" if count > 1 else ""
        lines.append(f"{name + times:56}{state:>8}{size / 1e6:11.3f} MB")
    return "\n".join(lines) + "\n"


def pipeline_text(document: Mapping[str, Any]) -> str:
    """The pipeline for people."""
    head = f"{document['model']} on {document['devices']} x {document['device']}, as a pipeline: {document['status']}"
    period = f"a result every {_ms(document['period_s']).strip()}, the first after {_ms(document['first_s']).strip()}"
    lines = [head, period, "", f"{'stage':8}{'ops':>8}{'time':>12}{'receives':>16}{'memory':>14}"]
    for i, s in enumerate(document["stages"]):
        sizes = f"{s['received_bytes'] / 1e6:13.3f} MB{s['bytes'] / 1e9:11.3f} GB"
        lines.append(f"{i:<8}{s['end'] - s['first']:8}{_ms(s['seconds'])}{sizes}")
    return "\n".join(lines) + "\n"


def _layer_free(name: str) -> str:
    """A weight's name with `*` for numbers between dots: layers that are alike are listed once."""
    return re.sub(r"(?<=\.)\d+(?=\.)|^\d+(?=\.)", "*", name)


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:9.3f} ms"
