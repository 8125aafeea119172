"""Passes by name, and the two pipelines: before planning, and after it for each kind of device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from ..ir.collector import collector_paused
from ..ir.diagnostics import Diagnostic, InputError, did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from xdsl.dialects.builtin import ModuleOp
    from xdsl.passes import ModulePass

PIPELINE = (
    ("inline-agents", "the pieces of a nested agent are placed one by one, like all others"),
    ("lower-llm-call", "prefill and decode are bound by different things, so each gets a device of its own"),
    ("partition-pieces", "gives what is placed a name that does not depend on the order in the file"),
)
"""Before planning: (pass, why)."""

NN_PIPELINE = (
    ("fold-constants", "arithmetic on shapes and on weights is over before patterns look for numbers"),
    ("canonicalise", "patterns then need to know one spelling alone"),
    ("merge-equal-ops", "a mean that is written twice is one value to the patterns"),
    ("recognise-activations", "one kernel reads its input once, whatever the spelling"),
    ("recognise-softmax", "attention is found around it"),
    ("recognise-norms", "a norm is one kernel that keeps its row on the chip"),
    ("recognise-rotary", "queries and keys are turned in one kernel"),
    ("recognise-attention", "the scores are never stored"),
    ("cancel-transposes", "what exporters put around convolutions and heads goes"),
    ("canonicalise", "views that patterns put in merge with those around them"),
    ("fold-constants", "what patterns cut from weights is a weight"),
)
"""Of tensor networks, before it is known where they run: (pass, why)."""

TARGET_PIPELINE: dict[str, tuple[tuple[str, str], ...]] = {
    "gpu": (
        ("fuse-conv-batch-norm", "a convolution then writes its result once, and normalised"),
        ("decompose-batch-norm", "a scale and a shift can join the chain that follows them"),
        ("decompose-norms{too_wide=true}", "a row that does not fit on the chip takes several kernels"),
        ("fuse-horizontal", "one launch that reads the input once does for several small products"),
        ("fold-constants", "weights put together are one weight"),
        ("fuse-epilogue", "bias, activation and residual are done before a product is written"),
        ("fuse-elementwise", "a chain between two layers reads and writes memory once"),
    ),
    "npu": (
        ("fuse-conv-batch-norm", "XLA cannot do it, since weights are inputs of its programs"),
        ("fold-constants", "what it works out from weights is a weight"),
    ),
    "cpu": (
        ("fuse-conv-batch-norm", "XLA cannot do it, since weights are inputs of its programs"),
        ("fold-constants", "what it works out from weights is a weight"),
    ),
    "api": (),
}
"""After planning, by the kind of device that a piece was placed on: (pass, why)."""

BUILT_IN = {
    "apply-plan": (".apply_plan", "ApplyPlanPass"),
    "cancel-transposes": (".nn.cancel_transposes", "CancelTransposesPass"),
    "canonicalise": (".nn.canonicalise", "CanonicalisePass"),
    "decompose-activations": (".nn.decompose_activations", "DecomposeActivationsPass"),
    "decompose-attention": (".nn.decompose_attention", "DecomposeAttentionPass"),
    "decompose-batch-norm": (".nn.decompose_batch_norm", "DecomposeBatchNormPass"),
    "decompose-experts": (".nn.decompose_experts", "DecomposeExpertsPass"),
    "decompose-fusions": (".nn.decompose_fusions", "DecomposeFusionsPass"),
    "decompose-norms": (".nn.decompose_norms", "DecomposeNormsPass"),
    "fold-constants": (".nn.fold_constants", "FoldConstantsPass"),
    "fuse-conv-batch-norm": (".nn.fuse_conv_batch_norm", "FuseConvBatchNormPass"),
    "fuse-elementwise": (".nn.fuse_elementwise", "FuseElementwisePass"),
    "fuse-epilogue": (".nn.fuse_epilogue", "FuseEpiloguePass"),
    "fuse-horizontal": (".nn.fuse_horizontal", "FuseHorizontalPass"),
    "infer-shapes": (".nn.infer_shapes", "InferShapesPass"),
    "inline-agents": (".agent.inline_agents", "InlineAgentsPass"),
    "lower-llm-call": (".lower_llm_call", "LowerLLMCallPass"),
    "merge-equal-calls": (".agent.merge_equal_calls", "MergeEqualCallsPass"),
    "merge-equal-ops": (".nn.merge_equal_ops", "MergeEqualOpsPass"),
    "partition-pieces": (".partition", "PartitionPiecesPass"),
    "quantise-weights": (".nn.quantise_weights", "QuantiseWeightsPass"),
    "recognise-activations": (".nn.recognise_activations", "RecogniseActivationsPass"),
    "recognise-attention": (".nn.recognise_attention", "RecogniseAttentionPass"),
    "recognise-norms": (".nn.recognise_norms", "RecogniseNormsPass"),
    "recognise-rotary": (".nn.recognise_rotary", "RecogniseRotaryPass"),
    "recognise-softmax": (".nn.recognise_softmax", "RecogniseSoftmaxPass"),
    "remove-dead-code": (".nn.remove_dead_code", "RemoveDeadCodePass"),
    "set-precision": (".nn.set_precision", "SetPrecisionPass"),
    "shard": (".shard.shard_pass", "ShardPass"),
    "tile-convolutions": (".nn.tile_convolutions", "TileConvolutionsPass"),
    "tile-products": (".nn.tile_products", "TileProductsPass"),
    "unroll-loops": (".agent.unroll_loops", "UnrollLoopsPass"),
}
"""Pass name -> its module and its class there; imported when first asked for."""

ENTRY_POINT_GROUP = "dovetail.passes"
"""Other packages add passes here: the entry point's name is the pass's, its value the `ModulePass` class."""


def pass_names() -> list[str]:
    """Every pass that can be named, ours and those of entry points, sorted; nothing is imported."""
    return sorted({*BUILT_IN, *_entry_points()})


def find_pass(name: str) -> type[ModulePass]:
    """The class of the pass `name`; our own names cannot be taken over.

    InputError where there is none of that name, or where the package that offers it cannot be imported.
    """
    if name in BUILT_IN:
        module, attribute = BUILT_IN[name]
        return getattr(import_module(module, __package__), attribute)
    others = _entry_points()  # looks through all installed packages, which takes 20 ms
    if name not in others:
        known = {*BUILT_IN, *others}
        raise InputError([Diagnostic("pass", f"there is no pass `{name}`", help=did_you_mean(name, known))])
    try:
        return others[name].load()
    except (ImportError, AttributeError) as error:
        message = f"the pass `{name}` ({others[name].value}) cannot be loaded: {error}"
        raise InputError([Diagnostic("pass", message)]) from error


def _entry_points() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}


def run_pipeline(module: ModuleOp, pipeline: Iterable[tuple[str, str]] = PIPELINE) -> None:
    """Run a pipeline, by default the one before planning, over `module` in place."""
    run_passes(module, [each for name, _ in pipeline for each in passes_of(name)])


def passes_of(spec: str) -> list[ModulePass]:
    """The passes that `spec` names, with their options: `a,b{option=1}`, as in xDSL. InputError for an unknown name."""
    from xdsl.utils.arg_spec import parse_pipeline

    return [find_pass(each.name).from_spec(each) for each in parse_pipeline(spec)]


@collector_paused()
def run_passes(module: ModuleOp, passes: Sequence[ModulePass]) -> None:
    """Run `passes` over `module` in order and verify it after each; InputError names the pass that broke it."""
    from xdsl.utils.exceptions import DiagnosticException, VerifyException

    from ..ir.context import make_context
    from ..ir.verify import last_line, verify_module

    context = make_context()
    for each in passes:
        try:
            each.apply(context, module)
        except (DiagnosticException, VerifyException) as error:
            raise InputError([Diagnostic("pass", f"`{each.name}`: {last_line(error)}")]) from error
        verify_module(module, f"the module after `{each.name}`")
