"""A bug planted in each pass is seen when random networks are compared before and after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
from xdsl.dialects.builtin import FloatAttr, f64
from xdsl.ir import Operation
from xdsl.utils.exceptions import VerifyException

from dovetail.ir import nn
from dovetail.ir.random_networks import RandomNetwork, random_network
from dovetail.passes import BUILT_IN
from dovetail.passes.nn import PASSES, run
from dovetail.passes.nn.draft import Draft

MOST = 240
"""networks that are tried before a bug counts as not seen: as many as are tried on every run of the tests"""

Bug = Callable[[ModuleType, pytest.MonkeyPatch], None]
BUGS: dict[tuple[str, str], tuple[Bug, Sequence[str]]] = {}
"""(pass, what is wrong) -> what plants the bug, and the passes that come before."""


def bug(name: str, *before: str) -> Callable[[Bug], Bug]:
    """Register what the function's name says is wrong with the pass `name`."""

    def register(plant: Bug) -> Bug:
        BUGS[name, plant.__name__] = (plant, before)
        return plant

    return register


@cache
def case_of(seed: int) -> RandomNetwork:
    return random_network(seed)


def swap_alike(operands: Sequence[Any]) -> list[Any]:
    """Operands of which the first two of one type have changed places."""
    done = list(operands)
    for i, one in enumerate(done):
        for j in range(i):
            if done[j].type == one.type and done[j] is not one:
                done[i], done[j] = done[j], done[i]
                return done
    return done


@bug("fold-constants")
def operands_in_reverse(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    right = module.evaluate
    patch.setattr(module, "evaluate", lambda op, o, w: right(op, o[::-1] if isinstance(op, nn.BinaryOp) else o, w))


@bug("fold-constants")
def values_of_ranks_taken_for_constants(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "SOURCES", (*module.SOURCES, nn.RankOp))
    patch.setattr(module, "_source", _with_rank_zero(module._source))


def _with_rank_zero(right: Callable[..., Any]) -> Callable[..., Any]:
    import numpy as np

    return lambda op, draft: np.zeros(()) if isinstance(op, nn.RankOp) else right(op, draft)


@bug("canonicalise")
def zero_less_a_value_is_the_value(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    patch.setitem(module.canonical_scalars.NEUTRAL, nn.SubOp, (0.0, True))


@bug("canonicalise")
def transposes_composed_the_wrong_way(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    def wrong(op: nn.TransposeOp, draft: Draft) -> Any:
        inner, order = op.x.owner, nn.ints(op.permutation)
        if not isinstance(inner, nn.TransposeOp):
            return None
        through = nn.ints(inner.permutation)
        return [draft.emit(op, nn.TransposeOp, inner.x, permutation=[order[i] for i in through])]

    patch.setitem(module.PATTERNS, nn.TransposeOp, [("transpose-of-transpose", wrong)])


@bug("canonicalise")
def steps_of_a_slice_forgotten(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module.canonical_layout, "is_plain", lambda bounds: True)


@bug("canonicalise")
def narrow_integers_hold_all_wide_ones(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module.canonical_layout, "holds_all", lambda wide, narrow: True)


@bug("merge-equal-ops")
def attributes_ignored(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "key_of", lambda op: (type(op), tuple(map(id, op.operands)), *(r.type for r in op.results)))


@bug("merge-equal-ops")
def a_difference_commutes(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "COMMUTATIVE", (*module.COMMUTATIVE, nn.SubOp))


@bug("remove-dead-code")
def an_op_that_one_uses_is_dead(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    def wrong(self: Any, draft: Draft) -> None:
        for op in list(draft.block.ops):
            same = op.operands and len(op.results) == 1 and op.operands[0].type == op.results[0].type
            if same and op.results[0].has_one_use():
                draft.replace(op, [op.operands[0]])
                return

    patch.setattr(module.RemoveDeadCodePass, "rewrite", wrong)


@bug("infer-shapes")
def a_reduced_axis_goes(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    right = module._inferred

    def wrong(op: Any) -> Any:
        types = right(op)
        return [nn.tensor(types[0].element_type, nn.shape_in(types[0])[1:])] if isinstance(op, nn.ReduceOp) else types

    patch.setattr(module, "_inferred", wrong)


@bug("recognise-activations", "canonicalise")
def any_number_will_do(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "isclose", lambda *a, **k: True)


@bug("recognise-activations", "canonicalise")
def any_sum_is_one_plus(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "is_constant", lambda value, number: module.constant(value) is not None)


@bug("recognise-softmax", "canonicalise")
def maximum_over_another_axis(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "_is_maximum", lambda op, shift, axes: isinstance(op, nn.ReduceOp) and op.kind.data == "max")


@bug("recognise-norms", "canonicalise")
def epsilon_dropped(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    right = module._root
    patch.setattr(module, "_root", lambda value: (found := right(value)) and replace(found, epsilon=0.0))


@bug("recognise-norms", "canonicalise")
def a_scale_of_any_shape(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    right = module._with

    def wrong(op: Any, draft: Draft, norm: Any, extra: Any) -> Any:
        return None if right(op, draft, norm, extra) is None else [norm.result]

    patch.setattr(module, "_with", wrong)


@bug("recognise-rotary", "canonicalise")
def halves_of_a_table_taken_for_equal(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "_first_half", lambda table, half, draft: (table, True))


@bug("recognise-rotary", "canonicalise")
def sine_and_cosine_swapped(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    right = module._angles

    def wrong(products: Any) -> Any:
        found = right(products)
        return found and (found[0], found[1], found[3], found[2])

    patch.setattr(module, "_angles", wrong)


@bug("recognise-attention", "canonicalise", "recognise-softmax")
def the_scale_of_queries_lost(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    right = module._without_scale
    patch.setattr(module, "_without_scale", lambda value: (right(value)[0], 1.0))


@bug("recognise-attention", "canonicalise", "recognise-softmax")
def any_number_hides_a_score(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "constant_is_minus_infinity", lambda value: module.constant(value) is not None)


@bug("cancel-transposes")
def axes_renamed_the_wrong_way(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    right = module._renamed
    patch.setattr(
        module, "_renamed", lambda op, o, order: right(op, o, tuple(order.index(i) for i in range(len(order))))
    )


@bug("cancel-transposes")
def a_vector_is_not_transposed(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    right = module._before

    def wrong(op: Any, value: Any, order: Any, inverse: Any, draft: Draft) -> Any:
        return value if len(nn.shape_of(value)) == 1 else right(op, value, order, inverse, draft)

    patch.setattr(module, "_before", wrong)


def the_mean_forgotten(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    right = module.gain_and_shift
    patch.setattr(module, "gain_and_shift", lambda norm, *rest: (right(norm, *rest)[0], norm.bias))


bug("fuse-conv-batch-norm")(the_mean_forgotten)
bug("decompose-batch-norm")(the_mean_forgotten)


@bug("fuse-conv-batch-norm")
def epsilon_left_out(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    right = module.gain_and_shift

    def wrong(norm: Any, before: Operation, draft: Draft) -> Any:
        norm.attributes["epsilon"] = FloatAttr(0.0, f64)
        return right(norm, before, draft)

    patch.setattr(module, "gain_and_shift", wrong)


@bug("fuse-horizontal")
def the_bias_forgotten(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    right = module.linear_of

    def wrong(op: Any) -> Any:
        found = right(op)
        return replace(found, bias=None) if found is not None and found.add is None else found

    patch.setattr(module, "linear_of", wrong)


@bug("fuse-epilogue")
def operands_of_the_kernel_swapped(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    right = nn.FusionOp.around

    def wrong(ops: Any, location: Any = None) -> Any:
        made = right(ops, location)
        made.operands = swap_alike(made.operands)
        return made

    patch.setattr(nn.FusionOp, "around", staticmethod(wrong))


@bug("fuse-elementwise")
def arguments_swapped(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    right = module._chain
    patch.setattr(module, "_chain", lambda op: [(kind, args[::-1]) for kind, args in right(op)])


@bug("decompose-activations")
def roots_rounded(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "sqrt", lambda x: round(x**0.5, 3))


@bug("decompose-norms")
def not_centred(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "_centred", lambda op, x, axes, draft: module._over_root(op, x, x, axes, draft))


@bug("decompose-attention")
def the_mask_forgotten(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    right = module._grouped
    patch.setattr(module, "_grouped", lambda op, draft: (*right(op, draft)[:3], None))


@bug("decompose-experts")
def largest_first(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "_sorted", lambda op, values, count, draft: module._top(op, values, count, 0, draft)[1])


@bug("decompose-fusions")
def the_last_step_forgotten(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    right = module.inline

    def wrong(op: nn.FusionOp, draft: Draft) -> Any:
        (*results,) = right(op, draft)
        inner = results[0].owner.operands[0]
        return [inner] if inner.type == results[0].type else results

    patch.setitem(module.PATTERNS, nn.FusionOp, [("fusion-apart", wrong)])


@bug("tile-products")
def only_the_first_summands(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "summed", lambda parts, add: parts[0])


@bug("tile-convolutions")
def filters_in_reverse(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    right = module.joined
    patch.setattr(module, "joined", lambda op, parts, axis, draft: right(op, parts[::-1], axis, draft))


def is_seen(case: RandomNetwork, network: nn.NnModule, name: str) -> bool:
    """Whether the pass `name` makes something else of `network`, which came of `case`, or nothing that verifies."""
    try:
        done, _ = run(network, [name])
        done.module.verify()
    except VerifyException:
        return True
    return bool(case.difference(done))


@pytest.mark.parametrize(("name", "wrong"), list(BUGS))
def test_a_planted_bug_is_seen(name: str, wrong: str, rewritten, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, before = BUGS[name, wrong]
    whole = next(each for each in PASSES if each.split("{")[0] == name)
    for seed in range(MOST):
        case = case_of(seed)
        network = rewritten(case, before)
        with monkeypatch.context() as patch:
            plant(import_module(f"dovetail.passes{BUILT_IN[name][0]}"), patch)
            if is_seen(case, network, whole):
                return
    pytest.fail(f"{MOST} random networks do not show the bug")


def test_a_bug_is_planted_in_every_pass() -> None:
    assert {name for name, _ in BUGS} == {name.split("{")[0] for name in PASSES}
