"""
Whole networks with seeded weights and inputs, in their own sizes or thin: what compiled programs are held against.

    whole = WHOLE["resnet50"](thin=False)
    (scores,) = dovetail.compile(whole.network)(*whole.inputs)

Thin ones have every operator and the depth of their network, in few channels and few tokens: for interpreters of
kernels, which are a thousand times slower than a device. Image networks are those of the `onnx` package, whose weights
are one constant, under which every image gives the same: seeded ones stand in for them, scaled layer by layer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from xdsl.ir import Operation

from dovetail.ir import nn
from dovetail.ir.read.huggingface import read_config
from dovetail.ir.read.jaxpr import read_jax
from dovetail.ir.read.onnx import read_onnx
from dovetail.ir.weights import fill_weights, reseed_constant_weights
from dovetail.passes.nn.precisions import kind_of

from .jax_models import bert, gpt2, llama, parameters, unet, vit

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
CLASSES = 1000
"""of the image networks: as many as they are, thin ones too"""
THINNING: Mapping[str, int] = {
    "bvlc_alexnet": 16, "densenet121": 8, "inception_v1": 8, "inception_v2": 16, "resnet50": 16, "shufflenet": 2,
    "squeezenet": 4, "vgg19": 32, "zfnet512": 32,
}  # fmt: skip
"""image network -> by how much a thin one has fewer channels; groups of ShuffleNet have an odd number after two"""
THIN_IMAGE = 64
"""pixels along one side"""
LAST_PIXELS, THIN_PIXELS = 7, 2
"""along one side, before the classifiers of those that do not pool all there are, at 224 pixels and in thin ones"""
MOST_GROUPS = 8
"""of a convolution of the image networks that is not one for each channel by itself"""
LARGEST_KERNEL = 11
"""along one side, of the image networks"""
MIXTRAL = {
    "architectures": ["MixtralForCausalLM"], "vocab_size": 32000, "hidden_size": 512, "num_hidden_layers": 1,
    "num_attention_heads": 8, "num_key_value_heads": 2, "intermediate_size": 1792, "hidden_act": "silu",
    "rms_norm_eps": 1e-5, "rope_theta": 1e6, "num_local_experts": 8, "num_experts_per_tok": 2,
}  # fmt: skip
"""One layer, an eighth of Mixtral 8x7B in width; experts are picked and rows sent to them as there."""
THIN_MIXTRAL = {**MIXTRAL, "vocab_size": 64, "hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 48}
LLAMA = llama.Config(width=512, heads=8, kv_heads=2, hidden=1792)


@dataclass(frozen=True)
class Whole:
    """A network and inputs for it."""

    network: nn.NnModule
    inputs: tuple[np.ndarray, ...]


def light(name: str, thin: bool) -> Whole:
    """The image network `light_<name>.onnx`."""
    path = LIGHT / f"light_{name}.onnx"
    if thin:
        with TemporaryDirectory() as folder:
            thinner = Path(folder) / path.name
            onnx.save(thinned(onnx.load(path), THINNING[name]), thinner)
            network = read_onnx(thinner)
    else:
        network = read_onnx(path)
    network = reseed_constant_weights(network, seed=3)
    (arg,) = nn.main_of(network.module).args
    # White noise would average out, and every image of it give nearly the same: flat blocks do not.
    blocks = np.random.default_rng(1).standard_normal((1, 3, 7, 7), dtype=np.float32)
    side = nn.shape_of(arg)[-1]
    image = blocks.repeat(32, axis=2).repeat(32, axis=3)[:, :, -side:, -side:]
    return Whole(network, (image,))


def thinned(model: onnx.ModelProto, by: int) -> onnx.ModelProto:
    """`model`, whose weights are constants of given shapes, with fewer channels and pixels, and all of its nodes."""
    graph = model.graph
    initial = {tensor.name: tensor for tensor in graph.initializer}
    made_of = [node.input[0] for node in graph.node if node.op_type == "ConstantOfShape"]
    reshapes = {node.input[1]: node.output[0] for node in graph.node if node.op_type == "Reshape"}
    for given in graph.input:
        if given.name not in initial:
            for axis in (2, 3):
                given.type.tensor_type.shape.dim[axis].dim_value = THIN_IMAGE
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "AveragePool" and attribute.name == "kernel_shape" and attribute.ints[0] == LAST_PIXELS:
                attribute.ints[:] = [THIN_PIXELS, THIN_PIXELS]
            elif attribute.name == "group" and attribute.i > MOST_GROUPS:
                attribute.i = _divided(attribute.i, by)
    for name in made_of:
        shape = numpy_helper.to_array(initial[name])
        _set(graph, name, [_divided(n, by) if axis < 2 or n > LARGEST_KERNEL else n for axis, n in enumerate(shape)])
    for tensor in list(graph.initializer):
        if len(tensor.dims) == 1 and tensor.data_type == onnx.TensorProto.FLOAT:
            _set(graph, tensor.name, numpy_helper.to_array(tensor)[: _divided(tensor.dims[0], by)])
    _set_reshapes(model, {name: made for name, made in reshapes.items() if name in initial}, by)
    del graph.value_info[:]
    return model


def _set_reshapes(model: onnx.ModelProto, reshapes: Mapping[str, str], by: int) -> None:
    """What is reshaped has fewer elements; matrices behind a flattened image take as many as there are now."""
    initial = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for name in reshapes:
        shape = initial[name]
        channels = [_divided(n, by) for n in shape]
        if len(shape) > 2:  # an image, whose channels may be in groups
            pixels = [n * THIN_PIXELS // LAST_PIXELS for n in shape[-2:]]
            _set(model.graph, name, [*shape[:-3], channels[-3], *pixels])
        else:
            _set(model.graph, name, channels if shape[0] > 1 else [1, -1])
    del model.graph.value_info[:]
    known = {each.name: each for each in onnx.shape_inference.infer_shapes(model).graph.value_info}
    for name, made in reshapes.items():
        if len(initial[name]) == 2 and initial[name][0] == 1:
            flat, old = known[made].type.tensor_type.shape.dim[1].dim_value, _divided(initial[name][1], by)
            for node in model.graph.node:
                if node.op_type == "ConstantOfShape" and len(shape := initial[node.input[0]]) == 2:
                    _set(model.graph, node.input[0], [flat if n == old else n for n in shape])


def _set(graph: onnx.GraphProto, name: str, values: Sequence[int] | np.ndarray) -> None:
    """The initialiser `name`, and the input of that name if there is one."""
    tensor = next(each for each in graph.initializer if each.name == name)
    kind = numpy_helper.to_array(tensor).dtype
    tensor.CopyFrom(numpy_helper.from_array(np.asarray(values, kind), name))
    for given in graph.input:
        if given.name == name:
            given.type.tensor_type.shape.dim[0].dim_value = len(values)


def _divided(size: int, by: int) -> int:
    return int(size) if size == CLASSES or size % by else int(size) // by


def from_jax(function: Callable[..., Any], *inputs: np.ndarray) -> Whole:
    return Whole(read_jax(function, inputs), inputs)


def _tokens(vocabulary: int, count: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, vocabulary, size=(1, count)).astype(np.int32)


def _bert(thin: bool) -> Whole:
    c = bert.Config(layers=12, width=24, heads=2, vocabulary=50, positions=16) if thin else bert.BASE
    return from_jax(partial(bert.forward, c, parameters(bert.shapes(c))), _tokens(c.vocabulary, 6 if thin else 64))


def _gpt2(thin: bool) -> Whole:
    c = gpt2.Config(layers=12, width=24, heads=2, vocabulary=50, positions=16) if thin else gpt2.BASE
    return from_jax(partial(gpt2.forward, c, parameters(gpt2.shapes(c))), _tokens(c.vocabulary, 6 if thin else 64))


def _vit(thin: bool) -> Whole:
    c = vit.Config(layers=12, width=24, heads=2, image=16, patch=8, classes=10) if thin else vit.BASE
    image = np.random.default_rng(4).standard_normal((1, 3, c.image, c.image), dtype=np.float32)
    return from_jax(partial(vit.forward, c, parameters(vit.shapes(c))), image)


def _unet(thin: bool) -> Whole:
    c = unet.SMALL if thin else unet.BASE
    image = np.random.default_rng(5).standard_normal((1, 1, c.image, c.image), dtype=np.float32)
    return from_jax(partial(unet.forward, c, unet.weights(c)), image)


def _llama(thin: bool) -> Whole:
    """A block that reads a prompt."""
    c = llama.SMALL if thin else LLAMA
    x = np.random.default_rng(6).standard_normal((1, 8 if thin else 64, c.width), dtype=np.float32)
    return from_jax(partial(llama.forward, c, parameters(llama.shapes(c))), x)


def _llama_decode(thin: bool) -> Whole:
    """A block that reads one token more."""
    c = llama.SMALL if thin else LLAMA
    rng, before = np.random.default_rng(7), 8 if thin else 64
    x = rng.standard_normal((1, 1, c.width), dtype=np.float32)
    cache = [rng.standard_normal((1, c.kv_heads, before, c.head), dtype=np.float32) for _ in range(2)]
    p = parameters(llama.shapes(c))

    def decode(x: Any, k: Any, v: Any) -> Any:
        return llama.forward(c, p, x, (k, v))

    return from_jax(decode, x, *cache)


def _mixtral(thin: bool) -> Whole:
    config, tokens = (THIN_MIXTRAL, 6) if thin else (MIXTRAL, 32)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(config))
        network = fill_weights(read_config(path, batch=1, sequence=tokens), seed=5)
    given = {"input_ids": _tokens(config["vocab_size"], tokens), "position_ids": np.arange(tokens)[None]}
    return Whole(network, tuple(given[name] for name in network.input_names))


WHOLE: Mapping[str, Callable[[bool], Whole]] = {
    **{name: partial(light, name) for name in sorted(THINNING)},
    "bert_base": _bert, "gpt2": _gpt2, "vit_base": _vit, "llama_block": _llama, "llama_decode": _llama_decode,
    "mixtral_block": _mixtral, "unet": _unet,
}  # fmt: skip
"""name -> the network, thin or not"""


def with_more_outputs(network: nn.NnModule, count: int) -> nn.NnModule:
    """
    `network` with `count` tensors of floats that it computes, spread along it, as further outputs.

    None is a sum or a difference, such as `x - max(x)` before a softmax: where terms cancel, errors that are small
    beside the terms are large beside what is left (Higham, "Accuracy and Stability of Numerical Algorithms", 1.7), and
    say nothing about the code. What is made from them is compared.
    """
    module = network.module.clone()
    main = nn.main_of(module)
    made = [op.results[0] for op in main.body.block.ops if kind_of(op) is not None and not _is_sum(op)]
    made = [value for value in made if nn.is_float(nn.tensor_type(value).element_type)]
    step = max(1, len(made) // (count + 1))
    more = made[step::step][:count]
    return _returning(network, main, more)


def _is_sum(op: Operation) -> bool:
    return isinstance(op, nn.ElementwiseOp) and op.kind in ("add", "sub")


def _returning(network: nn.NnModule, main: Any, more: Sequence[Any]) -> nn.NnModule:
    block = main.body.detach_block(0)
    end = block.last_op
    results = [*end.operands, *more]
    end.detach()
    end.erase()
    names = (*network.output_names, *(f"along_{i}" for i in range(len(more))))
    return nn.NnModule(nn.build_main(block, results), network.weights, network.input_names, names)
