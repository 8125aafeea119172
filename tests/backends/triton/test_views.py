"""Views of buffers against numpy's own."""

from __future__ import annotations

import numpy as np
import pytest

from dovetail.backends.triton.views import View


def read(view: View, buffer: np.ndarray) -> np.ndarray:
    steps = [stride * buffer.itemsize for stride in view.strides]
    return np.lib.stride_tricks.as_strided(buffer.reshape(-1)[view.offset :], view.sizes, steps)


@pytest.mark.parametrize("seed", range(200))
def test_random_views(seed):
    """Transpositions, slices, broadcasts and reshapes one after another; a reshape that needs a copy says so."""
    rng = np.random.default_rng(seed)
    shape = tuple(int(s) for s in rng.integers(1, 7, rng.integers(1, 5)))
    array = buffer = np.arange(np.prod(shape)).reshape(shape)
    view = View.whole("x", shape, "float32")
    for _ in range(5):
        match int(rng.integers(4)):
            case 0:
                order = [int(p) for p in rng.permutation(array.ndim)]
                array, view = array.transpose(order), view.transposed(order)
            case 1:
                starts = [int(rng.integers(s)) for s in array.shape]
                bounds = [
                    (a, int(rng.integers(a + 1, s + 1)), int(rng.integers(1, 3)))
                    for a, s in zip(starts, array.shape, strict=True)
                ]
                array, view = array[tuple(slice(*b) for b in bounds)], view.sliced(bounds)
            case 2:
                wanted = (2, *(3 if s == 1 else s for s in array.shape))
                array, view = np.broadcast_to(array, wanted), view.broadcast(wanted)
            case 3:
                wanted = (array.shape[0] * array.shape[1], *array.shape[2:]) if array.ndim > 1 else (*array.shape, 1)
                reshaped = view.reshaped(wanted)
                if reshaped is None:
                    assert not view.contiguous
                    continue
                array, view = array.reshape(wanted), reshaped
        np.testing.assert_array_equal(read(view, buffer), array)


def test_axes_that_are_apart_cannot_be_merged_without_a_copy():
    view = View.whole("x", (2, 3, 4), "float32")
    assert view.transposed((1, 0, 2)).reshaped((6, 4)) is None
    assert view.transposed((1, 0, 2)).reshaped((3, 2, 2, 2)) is not None
    assert view.sliced([(0, 2, 1), (0, 3, 1), (0, 2, 1)]).reshaped((6, 2)) is not None


def test_the_text_of_a_view():
    view = View.whole("x", (4, 6), "float32")
    assert str(view) == "x"
    assert str(view.transposed((1, 0))) == "x.as_strided((6, 4), (1, 6))"
    assert str(view.sliced([(1, 3, 1), (2, 6, 2)])) == "x.as_strided((2, 2), (6, 2), 8)"
