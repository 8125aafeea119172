"""`lower-llm-call`: an `agent.llm_call` becomes a prefill, a decode, and the KV cache that moves between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from xdsl.context import Context
from xdsl.dialects.builtin import FlatSymbolRefAttr, FloatAttr, ModuleOp, StringAttr, SymbolRefAttr, f64
from xdsl.ir import Attribute, Operation
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, PatternRewriteWalker, RewritePattern, op_type_rewrite_pattern

from ..ir.agent import EdgeOp, GraphOp, LLMCallOp
from ..ir.alternatives import models_of
from ..ir.diagnostics import Diagnostic, InputError, Label
from ..ir.llm import DecodeOp, KVTransferOp, PrefillOp
from ..ir.verify import place_of

KVBytes = Callable[[LLMCallOp], float]
"""Bytes of keys and values of one prompt token of a call over all layers; 0 if not known."""


def catalogue_kv_bytes(call: LLMCallOp) -> float:
    """KV cache of one prompt token [bytes/token], of the catalogue's model or of the config.json that `call` names.

    Of several models it is the largest. The file is looked for beside the one that the call was read from. 0 for a
    model that is no language model of the catalogue; InputError for a file that cannot be used and for a precision
    that is none.
    """
    from ..costmodel.models import LLM, find_model, read_hf_config  # reads the catalogue, which few commands need

    precision, largest = call.kv_precision.data if call.kv_precision else "bf16", 0.0
    for name in models_of(call):
        try:
            known = read_hf_config(_folder(call) / name) if name.endswith(".json") else find_model(name)
            largest = max(largest, known.kv_bytes_per_token(precision) if isinstance(known, LLM) else 0.0)
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = f"it lacks {error}" if isinstance(error, KeyError) else error
            span = place_of(call)
            labels = (Label(span),) if span else ()
            message = f"the KV cache of `{name}` is not known: {reason}"
            raise InputError([Diagnostic("model", message, labels)]) from error
    return largest


def _folder(call: LLMCallOp) -> Path:
    """The folder of the file that the outermost graph was read from; the working directory where it is from none."""
    around: Operation = call
    while (parent := around.parent_op()) is not None and not isinstance(parent, ModuleOp):
        around = parent
    span = place_of(around)
    return Path(span.source.name).parent if span else Path()


@dataclass
class LowerLLMCall(RewritePattern):
    """
    before: agent.llm_call @think;  agent.edge @hear -> @think;  agent.edge @think -> @say
    after:  llm.prefill @think.prefill;  llm.decode @think.decode;
            agent.edge @think.prefill -> @think.decode;  llm.kv_transfer @think.prefill -> @think.decode;
            agent.edge @hear -> @think.prefill;  agent.edge @think.decode -> @say
    """

    kv_bytes: KVBytes

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: LLMCallOp, rewriter: PatternRewriter) -> None:
        graph = op.parent_op()
        name = op.sym_name.data
        if not isinstance(graph, GraphOp):
            raise InputError([Diagnostic("pass", f"`lower-llm-call` met `{name}`, which stands in no `agent.graph`")])
        prefill = PrefillOp(attributes=phase_attributes(op, "prefill", drop="output_tokens"))
        decode = DecodeOp(attributes=phase_attributes(op, "decode", drop="cached_prefix_tokens"))
        ends = {"from": _ref(f"{name}.prefill"), "to": _ref(f"{name}.decode")}
        order = EdgeOp(attributes={**ends, "bytes": FloatAttr(0.0, f64)})
        per_token = 0.0 if _has_profile(op, graph) else self.kv_bytes(op)
        transfer = KVTransferOp(attributes={**ends, "bytes_per_prompt_token": FloatAttr(per_token, f64)})
        new: list[Operation] = [prefill, decode, order, transfer]
        for each in new:
            each.location = op.location
        for edge in graph.edges:
            _retarget(edge, name)
        rewriter.replace(op, new, [])


@dataclass(frozen=True)
class LowerLLMCallPass(ModulePass):
    """
    Splits every `agent.llm_call` into `llm.prefill` and `llm.decode`.

    Promise: the graph's edges keep their probabilities, bounds, streams and bytes; edges into the call end at
    its prefill, edges out of it start at its decode; every attribute of the call stands on each phase that it
    concerns (those that the dialect does not know on both); the new ops have the call's location.
    """

    name: ClassVar[str] = "lower-llm-call"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        lower_llm_calls(op)


def lower_llm_calls(module: ModuleOp, kv_bytes: KVBytes = catalogue_kv_bytes) -> None:
    """Lower every `agent.llm_call` of `module` in place, with `kv_bytes` for the size of the KV cache."""
    PatternRewriteWalker(LowerLLMCall(kv_bytes), apply_recursively=False).rewrite_module(module)


def phase_attributes(call: LLMCallOp, part: str, drop: str) -> dict[str, Attribute]:
    """The attributes of one phase: the call's without `drop`, under the phase's own name."""
    kept = {key: value for key, value in call.attributes.items() if key != drop}
    return kept | {"sym_name": StringAttr(f"{call.sym_name.data}.{part}"), "node": call.sym_name}


def _retarget(edge: EdgeOp, name: str) -> None:
    if edge.source.string_value() == name:
        edge.source = _ref(f"{name}.decode")
    if edge.target.string_value() == name:
        edge.target = _ref(f"{name}.prefill")


def _has_profile(call: LLMCallOp, graph: GraphOp) -> bool:
    """Whether measured figures replace the cost model: then the transfer is theirs too."""
    return call.profile is not None or graph.profile is not None


def _ref(name: str) -> FlatSymbolRefAttr:
    return SymbolRefAttr(name)
