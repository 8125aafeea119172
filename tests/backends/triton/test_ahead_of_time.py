"""Every kernel of the library, compiled for every target with no GPU: nothing spills, tensor cores are used."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

from dovetail.backends.triton.ahead_of_time import TARGETS
from dovetail.backends.triton.defaults import DEVICES, bindings
from dovetail.costmodel.hardware import find_device

QUICK = {("sm_90", "matmul"), ("sm_90", "attention"), ("gfx942", "matmul")}
SHARED_BYTES = {"sm_80": 166912, "sm_90": 232448, "sm_100": 232448, "gfx942": 65536}


def cases() -> list[Any]:
    """(target, binding), most of them slow: what was compiled before comes from Triton's cache."""
    found = []
    for target in TARGETS if find_spec("triton") else ():
        for binding in bindings(target):
            quick = (target, binding.kernel) in QUICK and "bfloat16" in binding.what
            marks = [] if quick else [pytest.mark.slow]
            found.append(pytest.param(target, binding, id=f"{target}-{binding.kernel}-{binding.what}", marks=marks))
    return found


@pytest.mark.usefixtures("triton")
@pytest.mark.parametrize(("target", "binding"), cases())
def test_nothing_spills(target, binding):
    used = binding.compile(target).resources
    assert not used.spills
    assert 0 < used.registers <= 512
    assert used.shared_bytes <= SHARED_BYTES[target]


@pytest.mark.usefixtures("triton")
@pytest.mark.parametrize(
    ("target", "instruction"),
    [("sm_80", "mma.sync"), ("sm_90", "wgmma.mma_async"), ("sm_100", "tcgen05.mma"), ("gfx942", "v_mfma_f32")],
)
def test_products_run_on_tensor_cores_and_copies_in_the_background(target, instruction):
    product = next(b for b in bindings(target) if b.kernel == "matmul")
    assembly = product.compile(target).assembly
    assert instruction in assembly
    assert ("cp.async" in assembly) == target.startswith("sm_")


def test_every_target_has_a_device():
    assert set(DEVICES) == set(TARGETS)
    assert all(find_device(name) is not None for name in DEVICES.values())
