"""Emitted Triton kernels: their text, their meaning in the interpreter, and what the compiler makes of them."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from xdsl.dialects.builtin import TensorType, f16, f32, f64
from xdsl.ir import Block, Operation, SSAValue

from dovetail.backends.triton.emit import emit_triton, views
from dovetail.backends.triton.processes import compile_source, run_interpreted
from dovetail.ir import nn
from dovetail.ir.diagnostics import InputError
from dovetail.ir.interpret import interpret
from dovetail.passes.target import lower_for_target

IMAGE = (2, 6, 5, 8)
POSITIVE = ("log", "log1p", "sqrt", "rsqrt", "pow")
GELU = [("mul", (0, 1)), ("erf", (4,)), ("add", (5, 3)), ("mul", (0, 2)), ("mul", (7, 6))]
NORM = [("sub", (0, 1)), ("mul", (5, 2)), ("add", (6, 3)), ("relu", (7,)), ("max", (8, 4))]


@pytest.fixture
def gelu(make_chain):
    return make_chain(GELU, [(3, 40)], [0.7071067811865476, 0.5, 1.0])


@pytest.fixture
def norm(make_chain):
    """A normalisation by channel: three operands broadcast, another along two dimensions."""
    return make_chain(NORM, [IMAGE, (6, 1, 1), (6, 1, 1), (2, 6, 1, 8), (1,)])


def test_text_of_kernels(gelu, norm, golden):
    golden("triton/gelu.py", emit_triton(gelu[0], "gelu").sources["gelu.py"])
    golden("triton/norm.py", emit_triton(norm[0], "norm", block=256).sources["norm.py"])


@pytest.mark.parametrize(
    ("shape", "result", "expected"),
    [
        ((2, 3, 4), (2, 3, 4), (1, 24, 1)),
        ((3, 1), (2, 3, 4), (4, 3, 1)),
        ((2, 1, 4), (2, 3, 4), (1, 4, 1, 12, 2, 4)),
        ((4,), (2, 3, 4), (1, 4, 1)),
        ((2, 1, 4), (2, 1, 4), (1, 8, 1)),
        ((1,), (2, 3), ()),
        ((), (2, 3), ()),
    ],
)
def test_views_find_the_broadcast_element(shape, result, expected):
    found = views(shape, result)
    assert found == expected
    flat = np.arange(np.prod(shape, dtype=int))
    at = np.arange(np.prod(result))
    terms = zip(found[::3], found[1::3], found[2::3], strict=True)
    offsets = sum((at // inner % count * stride for inner, count, stride in terms), start=np.zeros_like(at))
    np.testing.assert_array_equal(flat[offsets], np.broadcast_to(flat.reshape(shape), result).ravel())


def _compare(made, name, rtol):
    op, module = made
    rng = np.random.default_rng(3)
    source = emit_triton(op, name, block=64)
    inputs = [rng.standard_normal(shape).astype(dtype) for _, shape, dtype in source.inputs]
    (expected,) = interpret(module, inputs, {})
    found = run_interpreted(source, inputs)
    assert found.dtype == source.output[1]
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol)


@pytest.mark.usefixtures("triton")
def test_broadcasting_chain_means_what_the_interpreter_says(norm):
    _compare(norm, "norm", 1e-6)


@pytest.mark.usefixtures("triton")
def test_gelu_means_what_the_interpreter_says(gelu):
    _compare(gelu, "gelu", 1e-6)


@pytest.mark.usefixtures("triton")
def test_a_piece_that_the_passes_fused_means_what_the_interpreter_says():
    """batch norm -> relu, as the pipeline for GPUs leaves it."""
    block = Block(arg_types=[TensorType(f32, shape) for shape in [(1, 4, 6, 6)]])
    weights = {name: np.linspace(0.5, 1.5, 4, dtype=np.float32) for name in ("scale", "bias", "mean", "variance")}
    made = [nn.WeightOp.make(type=TensorType(f32, [4]), weight=name) for name in weights]
    norm = nn.BatchNormOp.make(block.args[0], *(op.result for op in made), epsilon=1e-5)
    relu = nn.ReluOp.make(norm.result)
    block.add_ops([*made, norm, relu])
    network = nn.NnModule(nn.build_main(block, [relu.result]), weights, ("x",), ("y",))
    network = lower_for_target(network, "gpu")
    (fused,) = [op for op in nn.body_of(network.module) if isinstance(op, nn.FusedElementwiseOp)]
    inputs = [np.random.default_rng(1).standard_normal(nn.shape_of(block.args[0])).astype(np.float32)]
    values: dict[SSAValue, np.ndarray] = dict(zip(nn.main_of(network.module).args, inputs, strict=True))

    def keep(op: Operation, results: tuple[np.ndarray, ...]) -> None:
        values.update(zip(op.results, results, strict=True))

    interpret(network.module, inputs, network.weights, keep)
    source = emit_triton(fused, "norm_relu")
    found = run_interpreted(source, [values[fused.operands[k]] for k in source.operands])
    np.testing.assert_allclose(found, values[fused.result], rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("triton")
def test_half_precision_chain_means_what_the_interpreter_says(make_chain):
    _compare(make_chain([("mul", (0, 1)), ("tanh", (2,))], [(3, 40), (40,)], type=f16), "half", 1e-3)


@pytest.mark.usefixtures("triton")
def test_every_scalar_function_means_what_the_interpreter_says(make_chain):
    """All of them in one kernel, since every kernel costs a process; each with a weight of its own in the sum."""
    x, y, half, weight, square, positive = range(6)
    steps: list[tuple[str, tuple[int, ...]]] = [("mul", (x, x)), ("add", (square, half))]
    total = x
    for kind, op in nn.ELEMENTWISE.items():
        if op.OF == "truth values":
            continue
        two = (positive, y) if kind in POSITIVE else (y, positive)
        steps.append((kind, two if op.ARITY == 2 else two[:1]))
        term = 3 + len(steps)
        steps += [("mul", (total, weight)), ("add", (term + 1, term))]
        total = term + 2
    made = make_chain(steps, [(4, 8), (8,)], [0.5, 0.9])
    _compare(made, "every", 1e-5)


@pytest.mark.usefixtures("triton")
def test_not_a_number_stays_so(make_chain):
    op, _ = make_chain([("relu", (0,)), ("max", (1, 2)), ("min", (3, 1))], [(4,)], [0.5])
    found = run_interpreted(emit_triton(op, "clip"), [np.array([np.nan, -1.0, 2.0, np.inf], np.float32)])
    np.testing.assert_array_equal(found, [np.nan, 0.5, 0.5, 0.5])


@pytest.mark.usefixtures("triton")
@pytest.mark.parametrize("target", ["sm_80", "sm_90", "gfx942"])
def test_kernel_compiles_without_a_gpu(norm, target):
    compiled = compile_source(emit_triton(norm[0], "norm"), target)
    assert target in compiled.assembly
    assert compiled.binary.startswith(b"\x7fELF")
    assert not compiled.resources.spills
    assert 0 < compiled.resources.registers <= 255


@pytest.mark.usefixtures("triton")
def test_kernel_reads_and_writes_whole_vectors(make_chain):
    op, _ = make_chain([("add", (0, 1)), ("relu", (2,))], [(64, 1024), (64, 1024)])
    ptx = compile_source(emit_triton(op, "add_relu")).assembly
    assert "ld.global.v4" in ptx
    assert "st.global.v4" in ptx


@pytest.mark.slow
@pytest.mark.usefixtures("triton")
def test_equal_kernels_in_two_folders_are_compiled_once(make_chain, tmp_path, monkeypatch):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "cache"))

    def binaries(constant: float) -> tuple[bytes, set[str]]:
        op, _ = make_chain([("add", (0, 1)), ("relu", (2,))], [(64, 1024)], [constant])
        made = compile_source(emit_triton(op, "add_relu")).binary  # in a folder of its own each time
        return made, {path.parent.name for path in (tmp_path / "cache").rglob("*.cubin")}

    first, kept = binaries(1.0)
    assert len(kept) == 1
    assert binaries(1.0) == (first, kept)
    assert len(binaries(2.0)[1]) == 2


def test_without_triton_the_extra_is_named(gelu, monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    with pytest.raises(InputError, match=r"dovetail\[triton\]"):
        compile_source(emit_triton(gelu[0], "gelu"))


@pytest.mark.usefixtures("triton")
def test_a_refused_capability_is_one_line(gelu):
    with pytest.raises(InputError, match="`gelu` does not compile: ") as caught:
        compile_source(emit_triton(gelu[0], "gelu"), "sm_1")
    assert "Traceback" not in str(caught.value)


def test_what_has_no_kernel_is_refused(make_chain, gelu):
    op, _ = make_chain([("relu", (0,))], [(4,)], type=f64)
    with pytest.raises(InputError, match="f64"):
        emit_triton(op, "wide")
    big, _ = make_chain([("relu", (0,))], [(1 << 20, 1 << 11)])
    with pytest.raises(InputError, match="32-bit offsets"):
        emit_triton(big, "big")
    with pytest.raises(InputError, match="takes inputs of shapes"):
        run_interpreted(emit_triton(gelu[0], "gelu"), [])
