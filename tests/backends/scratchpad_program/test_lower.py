"""Networks as scratchpad programs: the same bytes as without a scratchpad, the DMA of the plan, faults found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from xdsl.dialects.builtin import IntegerType, TensorType, f32
from xdsl.ir import Block

from dovetail.backends.scratchpad_program.execute import build_scratchpad
from dovetail.backends.scratchpad_program.instructions import Free, Load, Run, ScratchpadProgram, Store
from dovetail.backends.scratchpad_program.lower import least_size_bytes, lower, lower_plan
from dovetail.backends.scratchpad_program.machine import At
from dovetail.ir import nn
from dovetail.ir.diagnostics import Infeasible, InputError
from dovetail.ir.interpret import interpret
from dovetail.ir.random_networks import random_network
from dovetail.passes.target import lower_for_target
from dovetail.planner.scratchpad.read_network import problem_of_module
from dovetail.planner.scratchpad.solve import plan_scratchpad


@pytest.mark.parametrize("parameters", [False, True], ids=["streamed", "loaded"])
def test_a_decoder_gives_the_bytes_that_its_operators_give(decoder, run_plain, draw, parameters: bool) -> None:
    program = lower(decoder, "decoder", least_size_bytes(decoder, parameters=parameters), parameters=parameters)
    built = build_scratchpad(program)
    inputs = draw(built)
    found, machine = built.run(*inputs)
    assert len(machine.bytes) == program.size_bytes
    assert machine.loaded_bytes + machine.stored_bytes == program.dma_bytes
    assert program.noncompulsory_bytes > 0
    assert bool(program.parameters) == parameters
    assert machine.owned == {}
    for got, must in zip(found, run_plain(built, inputs), strict=True):
        assert got.tobytes() == must.tobytes()
    for got, must in zip(found, interpret(decoder.module, inputs, decoder.weights), strict=True):
        np.testing.assert_allclose(got, must, rtol=1e-4, atol=1e-5)


def _random_programs(seeds: range) -> list[tuple[ScratchpadProgram, list[np.ndarray]]]:
    """Programs of those random networks that are in float32 and in one piece, at their least size."""
    found, refused = [], set[str]()
    for seed in seeds:
        case = random_network(seed)
        low = lower_for_target(case.network, "npu")
        try:
            size = least_size_bytes(low, parameters=bool(seed % 2))
            program = lower(low, "random", size, parameters=bool(seed % 2), time_limit_s=2)
        except InputError as error:
            refused |= {each.id for each in error.diagnostics}
            continue
        kinds = [end.dtype for end in program.inputs.values()]
        found.append((program, [np.asarray(x).astype(k) for x, k in zip(case.inputs[0], kinds, strict=True)]))
    assert refused <= {"element-type", "scratchpad-op"}
    return found


@pytest.mark.parametrize(("seeds", "least"), [(range(12), 4), pytest.param(range(12, 112), 30, marks=pytest.mark.slow)])
def test_random_networks_give_the_bytes_that_their_operators_give(run_plain, seeds: range, least: int) -> None:
    programs = _random_programs(seeds)
    assert len(programs) >= least
    for program, inputs in programs:
        built = build_scratchpad(program)
        found, machine = built.run(*inputs)
        assert machine.loaded_bytes + machine.stored_bytes == program.dma_bytes
        for got, must in zip(found, run_plain(built, inputs), strict=True):
            assert got.tobytes() == must.tobytes()


def _altered(program: ScratchpadProgram, step: int, place: int, new) -> ScratchpadProgram:
    instructions = [list(each) for each in program.steps]
    instructions[step][place : place + 1] = [] if new is None else [new]
    return replace(program, steps=tuple(tuple(each) for each in instructions))


def test_every_altered_address_and_every_load_left_out_is_found(decoder, draw) -> None:
    program = lower(decoder, "decoder", least_size_bytes(decoder))
    built = build_scratchpad(program)
    inputs = draw(built)
    fault = built.module.MachineFault
    tried = 0
    for step, instructions in enumerate(program.steps):
        for place, each in enumerate(instructions):
            match each:
                case Load() | Store():
                    worse = [None, replace(each, address=each.address + 4)] if isinstance(each, Load) else []
                case Run(reads=reads) if isinstance(reads[0], At):
                    moved = reads[0]._replace(address=reads[0].address + 4)
                    worse = [replace(each, reads=(moved, *reads[1:]))]
                case Free():
                    worse = [replace(each, tensors=(*each.tensors, "nobody"))]
                case _:
                    worse = []
            for new in worse[: 1 + (step % 5 == 0)]:
                with pytest.raises(fault):  # noqa: PT012
                    module = build_scratchpad(_altered(program, step, place, new)).module
                    module.__dict__.update({name: getattr(built.module, name) for name in program.functions})
                    module.MachineFault = fault
                    module.execute(dict(zip(program.inputs, inputs, strict=True)), built.source.weights)
                tried += 1
    assert tried > 50


def _chain(*kinds: type[nn.TensorOp]) -> nn.NnModule:
    block = Block(arg_types=[TensorType(f32, (4, 4))])
    value = block.args[0]
    for kind in kinds:
        op = nn.SoftmaxOp.make(value, axis=1) if kind is nn.SoftmaxOp else kind.make(value)
        block.add_op(op)
        value = op.results[0]
    return nn.NnModule(nn.build_main(block, [value]), {}, ("x",), ("y",))


def test_a_chain_in_place_runs_in_one_buffer(run_plain) -> None:
    network = _chain(nn.ReluOp, nn.ExpOp, nn.TanhOp)
    built = build_scratchpad(lower(network, "chain", 64, in_place=True))
    x = np.linspace(-1, 1, 16, dtype=np.float32).reshape(4, 4)
    (found,), machine = built.run(x)
    assert machine.loaded_bytes + machine.stored_bytes == 128
    assert found.tobytes() == run_plain(built, [x])[0].tobytes()


def test_an_operator_that_reads_again_what_it_wrote_over_is_not_in_place() -> None:
    network = _chain(nn.ReluOp, nn.SoftmaxOp)
    with pytest.raises(Infeasible, match="softmax"):
        lower(network, "chain", 64, in_place=True)
    problem = problem_of_module(network.module, "chain", False, ("x",), ("y",))
    with pytest.raises(InputError, match="cannot write over"):
        lower_plan(network, "chain", plan_scratchpad(problem.with_size(64), in_place=True))


def test_what_does_not_fit_is_infeasible() -> None:
    with pytest.raises(Infeasible, match="relu"):
        lower(_chain(nn.ReluOp), "chain", 127)


def test_a_plan_of_another_network_is_refused() -> None:
    network = _chain(nn.ReluOp, nn.ExpOp)
    problem = problem_of_module(network.module, "chain", False, ("x",), ("y",))
    plan = plan_scratchpad(problem.with_size(128))
    shifted = replace(plan, buffers=tuple(replace(b, offset=0) for b in plan.buffers))
    with pytest.raises(InputError, match="overlaps"):
        lower_plan(network, "chain", shifted)
    with pytest.raises(InputError, match="does not run every operator"):
        lower_plan(_chain(nn.ReluOp), "chain", plan)


def test_what_a_network_hands_through_is_an_output() -> None:
    block = Block(arg_types=[TensorType(f32, (2, 3))])
    weight = nn.WeightOp.make(type=TensorType(f32, (3,)), weight="w")
    turned = nn.ReshapeOp.make(block.args[0], type=TensorType(f32, (3, 2)))
    block.add_ops([weight, turned])
    module = nn.build_main(block, [block.args[0], turned.result, weight.result])
    network = nn.NnModule(module, {"w": np.arange(3.0)}, ("x",), ("same", "turned", "weight"))
    built = build_scratchpad(lower(network, "through", 0))
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    same, seen, w = built(x=x)
    np.testing.assert_array_equal(same, x)
    np.testing.assert_array_equal(seen, x.reshape(3, 2))
    np.testing.assert_array_equal(w, [0, 1, 2])


def test_elements_of_half_a_byte_are_refused() -> None:
    block = Block(arg_types=[TensorType(IntegerType(4), (2, 3))])
    op = nn.TransposeOp.make(block.args[0], permutation=(1, 0))
    block.add_op(op)
    network = nn.NnModule(nn.build_main(block, [op.result]), {}, ("x",), ("y",))
    with pytest.raises(InputError, match="do not hold tensors of i4"):
        lower(network, "halves", 64)


@pytest.mark.parametrize(
    ("args", "named", "message"),
    [
        ((), {}, "needs its input `x`"),
        ((np.zeros((4, 3)),), {}, r"has the shape \(4, 3\), the network takes \(4, 4\)"),
        ((np.zeros((4, 4), complex),), {}, "holds complex128"),
        ((), {"z": 1}, "has no input `z`"),
        ((1, 2), {}, "takes 1 input, not 2"),
        ((1,), {"x": 1}, "given twice"),
    ],
)
def test_inputs_that_do_not_fit_are_told(args, named, message: str) -> None:
    built = build_scratchpad(lower(_chain(nn.ReluOp), "chain", 128))
    with pytest.raises(InputError, match=message):
        built(*args, **named)
