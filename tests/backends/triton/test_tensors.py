"""What launch wrappers work out about tensors."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from dovetail.backends.triton.interpret import HostTensor, nearest_bfloat16
from dovetail.backends.triton.interpreter import library
from dovetail.backends.triton.kernels.tensors import axis_terms, broadcast_strides, reach, require_narrow, split_axes


def offsets(terms, count) -> np.ndarray:
    at = np.arange(count)
    found = np.zeros_like(at)
    for inner, size, stride in zip(terms[::3], terms[1::3], terms[2::3], strict=True):
        found += at // inner % size * stride
    return found


def test_the_nearest_bfloat16_is_that_of_another_library():
    bits = np.random.default_rng(0).integers(0, 2**32, 100_000, dtype=np.uint32)
    halves = (np.arange(2**16, dtype=np.uint32) << 16) | 0x8000  # halfway between two
    values = np.concatenate([bits, halves, halves + 1, halves - 1]).view(np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        expected = values.astype(ml_dtypes.bfloat16).astype(np.float32)
        np.testing.assert_array_equal(nearest_bfloat16(values), expected)


def test_the_interpreter_rounds_to_the_nearest(interpreter):
    values = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    (out,) = interpreter.call(
        library("copy"), {"x": values, "out": np.zeros(1000, ml_dtypes.bfloat16)}, ["out"], block=1024, num_warps=4
    )
    np.testing.assert_array_equal(out.astype(np.float32), values.astype(ml_dtypes.bfloat16).astype(np.float32))


@pytest.mark.parametrize("seed", range(50))
def test_terms_find_every_element(seed):
    """Of transposed and broadcast arrays, along some axes and along the others."""
    rng = np.random.default_rng(seed)
    shape = tuple(int(s) for s in rng.integers(1, 6, rng.integers(1, 5)))
    flat = np.arange(np.prod(shape))
    array = flat.reshape(shape).transpose(rng.permutation(len(shape)))
    wanted = (2, *array.shape)
    terms = axis_terms(wanted, broadcast_strides(HostTensor(array), wanted))
    np.testing.assert_array_equal(flat[offsets(terms, np.prod(wanted))], np.broadcast_to(array, wanted).ravel())
    axes = tuple(i for i in range(array.ndim) if rng.random() < 0.5)
    (kept, of_kept), (taken, of_taken) = split_axes(HostTensor(array), axes)
    found = flat[offsets(of_kept, kept)[:, None] + offsets(of_taken, taken)[None, :]]
    others = [i for i in range(array.ndim) if i not in axes]
    np.testing.assert_array_equal(found, array.transpose([*others, *axes]).reshape(kept, taken))
    assert reach(HostTensor(array)) == array.size - 1


def test_what_does_not_broadcast_and_what_is_too_wide():
    with pytest.raises(ValueError, match=r"\(3,\) does not broadcast to \(2, 4\)"):
        broadcast_strides(HostTensor(np.zeros(3)), (2, 4))
    require_narrow("a", 2**31 - 1)
    with pytest.raises(ValueError, match="a tile of a spans 2147483648 elements"):
        require_narrow("a", 5, 2**31)
