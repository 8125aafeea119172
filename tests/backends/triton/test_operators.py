"""Every nn operator as Triton kernels in the interpreter, against the reference meaning."""

from __future__ import annotations

import numpy as np
import pytest
from operator_cases import CASES, SEVERAL, inputs_of

from dovetail.backends.dtypes import dtype_of
from dovetail.backends.triton.network import emit_network
from dovetail.backends.triton.program import build_triton
from dovetail.costmodel.hardware import load_devices
from dovetail.ir import nn
from dovetail.ir.diagnostics import InputError
from dovetail.ir.interpret import interpret
from dovetail.passes.target import lower_for_target

DEVICE = load_devices()["h100-sxm"]
LEFT_TO_JAX = {"conv_transpose_cut": "cuts pads"}
"""cases without a kernel, and what is said of them"""


@pytest.mark.parametrize("case", sorted({*CASES, *SEVERAL} - {*LEFT_TO_JAX}))
def test_operator_means_what_the_interpreter_says(case, make_network, interpreter):
    build, shapes = (CASES | SEVERAL)[case]
    network, inputs = make_network(build, shapes), inputs_of(case)
    name = f"of_{case}"
    program = build_triton(lower_for_target(network, "gpu"), name, DEVICE, interpreter)
    end = nn.main_of(network.module).body.block.last_op
    assert end is not None
    types = [nn.tensor_type(value) for value in end.operands]
    for found, expected, type in zip(program(*inputs), interpret(network.module, inputs, {}), types, strict=True):
        assert found.shape == expected.shape
        assert str(found.dtype) == dtype_of(type)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", sorted(LEFT_TO_JAX))
def test_what_has_no_kernel_is_named(case, make_network):
    network = lower_for_target(make_network(*CASES[case]), "gpu")
    with pytest.raises(InputError, match=LEFT_TO_JAX[case]):
        emit_network(network, "left", DEVICE)
