"""Networks as Triton programs in the interpreter, against the reference meaning."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable

import ml_dtypes
import numpy as np
import pytest
from xdsl.dialects.builtin import TensorType, bf16, f16, f32, i32, i64
from xdsl.ir import Block

from dovetail.backends.triton.backend import node_files
from dovetail.backends.triton.network import emit_network
from dovetail.backends.triton.program import build_triton, run_network
from dovetail.costmodel.hardware import load_devices
from dovetail.ir import nn
from dovetail.ir.diagnostics import InputError
from dovetail.ir.interpret import interpret
from dovetail.ir.read.huggingface import read_config
from dovetail.ir.weights import fill_weights
from dovetail.passes.target import lower_for_target

DEVICE = load_devices()["h100-sxm"]
LLAMA = {
    "architectures": ["LlamaForCausalLM"], "vocab_size": 31, "hidden_size": 24, "num_hidden_layers": 1,
    "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 20, "hidden_act": "silu",
    "rms_norm_eps": 1e-5, "rope_theta": 1000.0,
}  # fmt: skip
BERT = {
    "architectures": ["BertModel"], "vocab_size": 31, "hidden_size": 24, "num_hidden_layers": 2,
    "num_attention_heads": 3, "intermediate_size": 40, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
    "max_position_embeddings": 16, "type_vocab_size": 2,
}  # fmt: skip
GPT2 = {
    "architectures": ["GPT2LMHeadModel"], "vocab_size": 31, "n_embd": 24, "n_layer": 1, "n_head": 3, "n_positions": 16,
    "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new",
}  # fmt: skip
MIXTRAL = {
    **LLAMA, "architectures": ["MixtralForCausalLM"], "num_local_experts": 4, "num_experts_per_tok": 2,
}  # fmt: skip
GEMMA2 = {
    **LLAMA, "architectures": ["Gemma2ForCausalLM"], "head_dim": 8, "hidden_activation": "gelu_pytorch_tanh",
    "sliding_window": 2, "query_pre_attn_scalar": 16, "attn_logit_softcapping": 5.0, "final_logit_softcapping": 3.0,
}  # fmt: skip


def check(network: nn.NnModule, inputs: list[np.ndarray], tolerance: float = 1e-5) -> None:
    """The lowered network in the interpreter gives what the network means, to `tolerance` of its largest output."""
    lowered = lower_for_target(network, "gpu")
    for found, expected in zip(
        run_network(lowered, "network", DEVICE, inputs), interpret(network.module, inputs, network.weights), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())


@pytest.fixture
def read(tmp_path) -> Callable[..., nn.NnModule]:
    """`read(config, **options)`: the network of a config.json, with seeded weights."""

    def made(config, **options) -> nn.NnModule:
        (tmp_path / "config.json").write_text(json.dumps(config))
        return fill_weights(read_config(tmp_path / "config.json", **options), 5)

    return made


def tokens(network: nn.NnModule) -> list[np.ndarray]:
    """Inputs: ids of 31 words, places, kinds, a mask that hides the last token, caches of noise."""
    rng = np.random.default_rng(7)
    given = []
    for name, arg in zip(network.input_names, nn.main_of(network.module).body.block.args, strict=True):
        shape = nn.shape_of(arg)
        if "mask" in name:
            given.append(np.ones(shape, int))
            given[-1][..., -1] = 0
        elif "position" in name:
            given.append(np.broadcast_to(np.arange(shape[-1]), shape))
        elif nn.tensor_type(arg).element_type == i64:
            given.append(rng.integers(0, 2 if "type" in name else 31, shape))
        else:
            given.append(rng.standard_normal(shape).astype(np.float32))
    return given


@pytest.mark.usefixtures("triton")
@pytest.mark.parametrize(
    ("config", "mode"),
    [
        (BERT, "prefill"),
        (LLAMA, "prefill"),
        (LLAMA, "decode"),
        (GPT2, "prefill"),
        (GEMMA2, "prefill"),
        (MIXTRAL, "prefill"),
    ],
    ids=["bert", "llama", "llama-decode", "gpt2", "gemma2", "mixtral"],
)
def test_transformers(read, config, mode):
    network = read(config, sequence=7, mode=mode, element=f32)
    check(network, tokens(network))


@pytest.mark.usefixtures("triton")
def test_a_transformer_in_half_precision(read):
    network = read(LLAMA, sequence=5, element=f16)
    check(network, tokens(network), 1e-2)


def convolutions() -> nn.NnModule:
    """A residual block with batch norm, a strided grouped convolution, pools of every kind, a classifier."""
    rng = np.random.default_rng(3)
    shapes = {"first": (8, 3, 3, 3), "second": (8, 8, 3, 3), "third": (12, 4, 3, 3), "last": (5, 12), "bias": (5,)}
    norms = dict.fromkeys(("scale", "shift", "mean", "variance"), (8,))
    weights = {name: (rng.standard_normal(shape) / 3).astype(np.float32) for name, shape in (shapes | norms).items()}
    weights["variance"] = np.abs(weights["variance"]) + np.float32(0.5)
    block = Block(arg_types=[TensorType(f32, (2, 3, 9, 10))])
    made = {name: nn.WeightOp.make(type=TensorType(f32, values.shape), weight=name) for name, values in weights.items()}
    w = {name: op.result for name, op in made.items()}
    first = nn.ConvOp.make(block.args[0], w["first"], pads=(1, 1, 1, 1))
    norm = nn.BatchNormOp.make(first.result, *(w[name] for name in norms), epsilon=1e-5)
    relu = nn.ReluOp.make(norm.result)
    second = nn.ConvOp.make(relu.result, w["second"], pads=(2, 2, 2, 2), dilations=(2, 2))
    both = nn.AddOp.make(second.result, relu.result)
    third = nn.ConvOp.make(both.result, w["third"], strides=(2, 2), groups=2)
    largest = nn.MaxPoolOp.make(third.result, kernel=(2, 2), pads=(1, 1, 1, 1))
    nearby = nn.AveragePoolOp.make(largest.result, kernel=(2, 2), strides=(2, 2), pads=(1, 0, 0, 0))
    mean = nn.ReduceOp.make(nearby.result, kind="mean", axes=(2, 3))
    flat = nn.ReshapeOp.make(mean.result, type=TensorType(f32, (2, 12)))
    last = nn.GemmOp.make(flat.result, w["last"], w["bias"], transpose_b=1)
    softmax = nn.SoftmaxOp.make(last.result, axis=1)
    ops = [first, norm, relu, second, both, third, largest, nearby, mean, flat, last, softmax]
    block.add_ops([*made.values(), *ops])
    return nn.NnModule(nn.build_main(block, [softmax.result]), weights, ("image",), ("scores",))


@pytest.mark.usefixtures("triton")
def test_casts_between_floats_are_done_inside_kernels():
    """One launch for a product, what is around it and the casts between, and one for a chain of integers' casts."""
    block = Block(arg_types=[TensorType(f32, (4, 32)), TensorType(i32, (4, 8)), TensorType(f32, (4, 8))])
    x, mask, beside = block.args
    narrow = nn.CastOp.make(x, type=TensorType(bf16, (4, 32)))
    w = nn.WeightOp.make(type=TensorType(bf16, (32, 8)), weight="w")
    product = nn.MatmulOp.make(narrow.result, w.result)
    wide = nn.CastOp.make(product.result, type=TensorType(f32, (4, 8)))
    total = nn.AddOp.make(wide.result, beside)
    product_and_chain = nn.FusionOp.around([product, wide, total])
    first = nn.CastOp.make(mask, type=TensorType(f32, (4, 8)))
    second = nn.CastOp.make(first.result, type=TensorType(bf16, (4, 8)))
    last = nn.AbsOp.make(second.result)
    chain = nn.FusionOp.around([first, second, last])
    block.add_ops([narrow, w, product_and_chain, chain])
    rng = np.random.default_rng(0)
    weights = {"w": rng.standard_normal((32, 8)).astype(np.float32)}
    outputs = [product_and_chain.results[0], chain.results[0]]
    network = nn.NnModule(nn.build_main(block, outputs), weights, ("x", "mask", "beside"), ("y", "z"))
    text = emit_network(network, "casts", DEVICE).sources["casts.py"]
    assert [text.count(f"\n    {kernel}(") for kernel in ("matmul", "pointwise", "copy")] == [1, 1, 1]
    inputs = [rng.standard_normal((4, 32)), rng.integers(-99, 99, (4, 8)), rng.standard_normal((4, 8))]
    given = [a.astype(kind) for a, kind in zip(inputs, ("f4", "i4", "f4"), strict=True)]
    y, z = run_network(network, "casts", DEVICE, given)
    np.testing.assert_array_equal(z.astype(np.float64), np.abs(inputs[1]))
    a, b = (each.astype(ml_dtypes.bfloat16).astype(np.float64) for each in (given[0], weights["w"]))
    np.testing.assert_allclose(y, a @ b + inputs[2], atol=1e-5)  # to bf16 the product itself would be off by more


@pytest.mark.usefixtures("triton")
def test_convolutions():
    check(convolutions(), [np.random.default_rng(1).standard_normal((2, 3, 9, 10))], 3e-5)


@pytest.mark.usefixtures("triton")
@pytest.mark.parametrize("pages", [4, 600])
def test_attention_over_pages(pages):
    """In one part of the context, and in several that a second kernel joins."""
    rng = np.random.default_rng(2)
    shapes = [(2, 4, 1, 16), (2 * pages, 4, 2, 16), (2 * pages, 4, 2, 8)]
    whole = [TensorType(i64, (2, pages)), TensorType(i64, (2,))]
    block = Block(arg_types=[*(TensorType(f32, shape) for shape in shapes), *whole])
    op = nn.PagedAttentionOp.make(*block.args, scale=0.25)
    block.add_op(op)
    network = nn.NnModule(nn.build_main(block, [op.result]), {}, ("q", "k", "v", "table", "lengths"), ("y",))
    arrays = [rng.standard_normal(shape) for shape in shapes]
    check(network, [*arrays, rng.permutation(2 * pages).reshape(2, pages), np.array([4 * pages - 3, 5])])


def test_the_source_is_readable():
    """Formatted as `ruff format` does, with shapes beside the launches; the same text every time."""
    network = lower_for_target(convolutions(), "gpu")
    source = emit_network(network, "classifier", DEVICE)
    text = source.sources["classifier.py"]
    ast.parse(text)
    assert text == emit_network(network, "classifier", DEVICE).sources["classifier.py"]
    assert max(map(len, text.splitlines())) <= 120
    assert "# (2, 3, 9, 10) (8, 3, 3, 3) -> (2, 8, 9, 10)" in text
    assert set(source.sources) > {"kernels/conv.py", "kernels/matmul.py", "kernels/__init__.py"}


@pytest.mark.usefixtures("triton")
def test_inputs_that_do_not_fit():
    program = build_triton(lower_for_target(convolutions(), "gpu"), "classifier", DEVICE)
    with pytest.raises(InputError, match="`classifier` takes"):
        program(np.zeros((1, 3, 9, 10)))
    assert program.trace == [("classifier.run", "triton (interpreter)")]
    program.close()


@pytest.mark.usefixtures("triton")
def test_the_files_run_without_dovetail(tmp_path):
    """`run.py` in a process that cannot import the package, on the CPU if there is no GPU."""
    network = convolutions()
    for file in node_files("class-ifier", lower_for_target(network, "gpu"), DEVICE):
        path = tmp_path / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content if isinstance(file.content, bytes) else file.content.encode())
    folder, image = tmp_path / "triton" / "class-ifier", np.random.default_rng(1).standard_normal((2, 3, 9, 10))
    (folder / "dovetail.py").write_text("raise ImportError('Dovetail is not here')\n")
    np.savez(folder / "inputs.npz", image=image)
    command = [sys.executable, "run.py", "--inputs", "inputs.npz", "--outputs", "outputs.npz"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (expected,) = interpret(network.module, [image], network.weights)
    with np.load(folder / "outputs.npz") as found:
        np.testing.assert_allclose(found["scores"], expected, rtol=3e-5)


def test_chains_alone_where_an_operator_has_no_kernel():
    block = Block(arg_types=[TensorType(f32, (4, 4))])
    exp, square = nn.ExpOp.make(block.args[0]), nn.MulOp.make(block.args[0], block.args[0])
    total = nn.AddOp.make(exp.result, square.result)
    block.add_ops([exp, square, total])
    network = lower_for_target(one_op(nn.AllReduceOp.make(total.result, mesh="tp", ranks=2), block), "gpu")
    names = {file.path for file in node_files("sums", network, DEVICE)}
    assert names == {"triton/sums/chain_1.py", "triton/sums/elementwise.py"}


def test_weights_of_a_transposed_convolution_are_turned_when_it_is_emitted():
    rng = np.random.default_rng(3)
    block = Block(arg_types=[TensorType(f32, (2, 4, 5, 6))])
    weight = nn.WeightOp.make(type=TensorType(f32, (4, 3, 3, 2)), weight="w")
    conv = nn.ConvTransposeOp.make(block.args[0], weight.result, strides=(2, 1), groups=2)
    relu = nn.ReluOp.make(conv.result)
    block.add_ops([weight, conv, relu])
    held = rng.standard_normal((4, 3, 3, 2)).astype(np.float32)
    network = nn.NnModule(nn.build_main(block, [relu.result]), {"w": held}, ("x",), ("y",))
    check(network, [rng.standard_normal((2, 4, 5, 6)).astype(np.float32)])
    source = emit_network(lower_for_target(network, "gpu"), "up", DEVICE)
    assert "w.turned2" in source.weights
    assert "w" not in source.weights
    assert "gather" not in source.sources["up.py"]


def one_op(op: nn.TensorOp, block: Block) -> nn.NnModule:
    block.add_op(op)
    return nn.NnModule(nn.build_main(block, [op.results[0]]), {}, ("x",), ("y",))


def test_what_no_kernel_computes_is_refused():
    block = Block(arg_types=[TensorType(f32, (4, 4))])
    with pytest.raises(InputError, match=r"no Triton kernel computes `nn\.all_reduce`"):
        emit_network(one_op(nn.AllReduceOp.make(block.args[0], mesh="tp", ranks=2), block), "sums", DEVICE)
    block = Block(arg_types=[TensorType(f32, (1 << 16, 1 << 15))])
    with pytest.raises(InputError, match="2\\^31 elements or more"):
        emit_network(one_op(nn.ReluOp.make(block.args[0]), block), "large", DEVICE)
    block = Block(arg_types=[])
    weight = nn.WeightOp.make(type=TensorType(f32, (2,)), weight="w")
    block.add_op(weight)
    relu = nn.ReluOp.make(weight.result)
    block.add_op(relu)
    network = nn.NnModule(nn.build_main(block, [relu.result]), {}, (), ("y",))
    with pytest.raises(InputError, match="weight `w` has no values"):
        emit_network(network, "weightless", DEVICE)
