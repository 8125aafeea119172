"""The scratchpad machine: what it computes, what it counts, and where it stops."""

from __future__ import annotations

import numpy as np
import pytest

from dovetail.backends.scratchpad_program.machine import At, MachineFault, Scratchpad, decoded, encoded

X = At(0, "x", "float32", (2,))
Y = At(8, "y", "float32", (2,))


@pytest.fixture
def npu() -> Scratchpad:
    """16 bytes, and `x` outside."""
    return Scratchpad(16, {"x": encoded(np.array([1.0, 2.0]), "float32")})


def test_an_operator_reads_and_writes_at_its_addresses(npu: Scratchpad) -> None:
    npu.load(0, "x")
    npu.run(lambda x: x + 1, [X], [Y])
    np.testing.assert_array_equal(npu.bytes.view(np.float32), [1, 2, 2, 3])
    npu.store(8, "y")
    np.testing.assert_array_equal(npu.outside["y"].view(np.float32), [2, 3])
    assert (npu.loaded_bytes, npu.stored_bytes) == (8, 8)


def test_freed_bytes_hold_no_number(npu: Scratchpad) -> None:
    npu.load(4, "x")
    npu.free("x")
    assert np.isnan(npu.bytes.view(np.float32)).all()


def test_a_result_may_lie_over_an_input_that_ends(npu: Scratchpad) -> None:
    npu.load(0, "x")
    npu.run(lambda x: -x, [X], [At(0, "y", "float32", (2,))], over=["x"])
    assert npu.owned == {"y": (0, 8)}
    np.testing.assert_array_equal(npu.bytes[:8].view(np.float32), [-1, -2])


def test_a_result_that_is_its_input_survives_it(npu: Scratchpad) -> None:
    npu.load(0, "x")
    npu.run(lambda x: x, [X], [At(0, "y", "float32", (2,))], over=["x"])
    np.testing.assert_array_equal(npu.bytes[:8].view(np.float32), [1, 2])


def test_truth_values_share_bytes() -> None:
    values = np.arange(11) % 3 == 0
    assert len(encoded(values, "bool")) == At(0, "mask", "bool", (11,)).bytes == 2
    np.testing.assert_array_equal(decoded(encoded(values, "bool"), "bool", (11,)), values)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda npu: npu.load(12, "x"), "`x` at 12 to 20 is out of the scratchpad's 16"),
        (lambda npu: npu.load(-4, "x"), "`x` at -4 to 4 is out"),
        (lambda npu: npu.load(0, "z"), "`z` is loaded, but there is no copy outside"),
        (lambda npu: npu.run(np.negative, [X], [Y]), "`x` is used at 0, but is not there"),
        (lambda npu: npu.store(0, "x"), "`x` is used at 0, but is not there"),
        (lambda npu: npu.free("x"), "`x` is freed, but is not there"),
        (lambda npu: (npu.load(0, "x"), npu.load(8, "x")), "`x` is in the scratchpad already"),
        (lambda npu: (npu.load(4, "x"), npu.run(np.negative, [X], [Y])), "`x` is used at 0, but is not there"),
        (lambda npu: (npu.load(4, "x"), npu.store(0, "x")), "`x` is used at 0, but is not there"),
        (lambda npu: (npu.load(4, "x"), npu.run(np.negative, [X._replace(address=4)], [Y])), "`y` at 8 to 16 overlaps"),
        (lambda npu: (npu.load(0, "x"), npu.run(np.negative, [X], [X._replace(tensor="y")])), "overlaps `x` at 0 to 8"),
        (lambda npu: (npu.load(0, "x"), npu.run(np.sum, [X], [Y])), r"`y` comes out as \(\), not as \(2,\)"),
        (
            lambda npu: (npu.load(0, "x"), npu.run(np.negative, [X._replace(shape=(3,))], [Y])),
            r"`x` of 8 bytes is read as float32\(3,\)",
        ),
    ],
)
def test_the_machine_stops_at(npu: Scratchpad, act, message: str) -> None:
    with pytest.raises(MachineFault, match=message):
        act(npu)
