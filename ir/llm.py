"""The `llm` dialect: a language model's call as its two phases and the KV cache that moves between them.

The ops stand in an `agent.graph` in place of an `agent.llm_call`; the phases are nodes (symbols), joined by an
`agent.edge`. Prefill is bound by compute and decode by memory bandwidth, so each may run on its own device.
"""

from __future__ import annotations

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, FlatSymbolRefAttr, FloatAttr, IntegerAttr, StringAttr
from xdsl.ir import Dialect, Operation
from xdsl.irdl import IRDLOperation, attr_def, irdl_op_definition, opt_attr_def, traits_def
from xdsl.traits import HasParent
from xdsl.utils.exceptions import VerifyException

from .agent import DistAttr, GraphOp, NodeOp
from .symbols import named_op


class PhaseOp(NodeOp):
    """What both phases have: the node they come from, the model and the prompt."""

    node = attr_def(StringAttr)
    """name of the `agent.llm_call` that the phase comes from; `place` and `slo` speak of such names"""
    model = attr_def(StringAttr)
    models = opt_attr_def(ArrayAttr)
    """names of all that may answer, where there are several"""
    qualities = opt_attr_def(DictionaryAttr)
    """model -> quality of its answers, f64"""
    adapter = opt_attr_def(DictionaryAttr)
    """as in `agent.llm_call`"""
    precision = opt_attr_def(StringAttr)
    kv_precision = opt_attr_def(StringAttr)
    prompt_tokens = attr_def(DistAttr)
    """[tokens] of the first visit"""
    prompt_growth = attr_def(FloatAttr)
    """[tokens] added on each revisit"""
    tp = opt_attr_def(IntegerAttr)
    pp = opt_attr_def(IntegerAttr)
    ep = opt_attr_def(IntegerAttr)
    dp = opt_attr_def(IntegerAttr)


@irdl_op_definition
class PrefillOp(PhaseOp):
    """
    Reads the prompt, fills the KV cache and gives the first token.

        "llm.prefill"() {sym_name = "think.prefill", node = "think", model = "llama-3.1-8b", ...} : () -> ()

    (C1) `sym_name` is the node's name and `.prefill`.
    (C2) `prompt_tokens` is at least 1 on average. (C3) `tp`, `pp`, `ep` and `dp`, where given, are at least 1.
    (C4) `cached_prefix_tokens` is not negative.
    """

    name = "llm.prefill"
    cached_prefix_tokens = attr_def(FloatAttr)
    """[tokens] of the prompt that are already cached on the first visit"""

    def verify_(self) -> None:
        _verify_phase(self, "prefill")
        if self.cached_prefix_tokens.value.data < 0:
            raise VerifyException(f"(C4) `cached_prefix_tokens` of `{self.sym_name.data}` is negative")


@irdl_op_definition
class DecodeOp(PhaseOp):
    """
    Gives the tokens after the first, one step each, reading weights and KV cache at every step.

        "llm.decode"() {sym_name = "think.decode", node = "think", output_tokens = #agent.dist<...>, ...} : () -> ()

    (C1) `sym_name` is the node's name and `.decode`.
    (C2) `prompt_tokens` is at least 1 on average. (C3) `tp`, `pp`, `ep` and `dp`, where given, are at least 1.
    (C4) `output_tokens` is at least 1 on average.
    """

    name = "llm.decode"
    output_tokens = attr_def(DistAttr)
    """[tokens] of each visit, the first token included"""

    def verify_(self) -> None:
        _verify_phase(self, "decode")
        if self.output_tokens.value.mean < 1:
            raise VerifyException(f"(C4) `output_tokens` of `{self.sym_name.data}` is under 1")


@irdl_op_definition
class KVTransferOp(IRDLOperation):
    """
    The KV cache of the prompt, from the device of a prefill to the device of its decode.

        "llm.kv_transfer"() {from = @think.prefill, to = @think.decode, bytes_per_prompt_token = 1.31072e+05} : () -> ()

    (C1) `from` is an `llm.prefill` and `to` an `llm.decode` of the graph, both of one node.
    (C2) `bytes_per_prompt_token` is not negative.
    """

    name = "llm.kv_transfer"
    source = attr_def(FlatSymbolRefAttr, attr_name="from")
    target = attr_def(FlatSymbolRefAttr, attr_name="to")
    bytes_per_prompt_token = attr_def(FloatAttr)
    """[bytes/token] of keys and values over all layers, those of the largest where there are several models; 0 where a
    profile gives the time, or nothing is known"""
    traits = traits_def(HasParent(GraphOp))

    def verify_(self) -> None:
        if self.bytes_per_prompt_token.value.data < 0:
            raise VerifyException("(C2) `bytes_per_prompt_token` must not be negative")
        graph = self.parent_op()
        if graph is None:
            return
        prefill, decode = named_op(graph, self.source), named_op(graph, self.target)
        if not isinstance(prefill, PrefillOp):
            raise VerifyException(f"(C1) `{self.source.string_value()}` is no `llm.prefill` of this graph")
        if not isinstance(decode, DecodeOp):
            raise VerifyException(f"(C1) `{self.target.string_value()}` is no `llm.decode` of this graph")
        if prefill.attributes.get("node") != decode.attributes.get("node"):
            raise VerifyException("(C1) `from` and `to` are phases of different nodes")


def _verify_phase(op: PhaseOp, part: str) -> None:
    """(C1)-(C3) of both phases."""
    if op.sym_name.data != f"{op.node.data}.{part}":
        raise VerifyException(f"(C1) `{op.sym_name.data}` must be called `{op.node.data}.{part}`")
    if op.prompt_tokens.value.mean < 1:
        raise VerifyException(f"(C2) `prompt_tokens` of `{op.sym_name.data}` is under 1")
    for degree, name in ((op.tp, "tp"), (op.pp, "pp"), (op.ep, "ep"), (op.dp, "dp")):
        if degree is not None and degree.value.data < 1:
            raise VerifyException(f"(C3) `{name}` of `{op.sym_name.data}` is under 1")


def node_and_part(op: Operation) -> tuple[str, str]:
    """The user's node that a node op stands for, and which part of it: the two halves of a piece's id."""
    if isinstance(op, PrefillOp):
        return op.node.data, "prefill"
    if isinstance(op, DecodeOp):
        return op.node.data, "decode"
    if isinstance(op, NodeOp):
        return op.sym_name.data, "run"
    raise TypeError(f"`{op.name}` is no node of a graph")


def weights_name(model: str, precision: StringAttr | None) -> str:
    """What a call loads: those of one name share weights in a pool."""
    return f"{model}.{precision.data}" if precision else model


Llm = Dialect("llm", [PrefillOp, DecodeOp, KVTransferOp], [])
