"""The `agent` dialect: a workflow as nodes that are symbols and edges that are ops.

Edges are no SSA values, so that a graph may have cycles; what bounds a cycle is an attribute of one of its edges.
All data are attributes (not properties), so that the module also verifies in MLIR through IRDL.
"""

from __future__ import annotations

from collections.abc import Iterator

from xdsl.dialects.builtin import (
    ArrayAttr,
    DictionaryAttr,
    FlatSymbolRefAttr,
    FloatAttr,
    IntegerAttr,
    StringAttr,
    UnitAttr,
)
from xdsl.ir import Dialect, Operation
from xdsl.irdl import IRDLOperation, attr_def, irdl_op_definition, opt_attr_def, region_def, traits_def
from xdsl.traits import NoTerminator, SymbolOpInterface, SymbolTable
from xdsl.utils.exceptions import VerifyException

from .dist import DistAttr as DistAttr


@irdl_op_definition
class GraphOp(IRDLOperation):
    """
    A workflow: nodes, edges between them, and what is asked of the whole.

        "agent.graph"() ({ ... }) {sym_name = "voice-agent", objective = "cost"} : () -> ()

    (C1) Every edge ends at nodes of this graph.
    (C2) Marked probabilities of a node's out-edges sum to at most 1, and to 1 where no edge is unmarked.
    (C3) Every cycle has `max_visits` on one of its edges.
    (C4) Every node is reached from a node without in-edges. (C5) Every node leads to one without out-edges.
    """

    name = "agent.graph"
    sym_name = attr_def(StringAttr)
    objective = attr_def(StringAttr)
    workload = attr_def(DictionaryAttr)
    """`rate` [req/s] f64 if given, `arrivals_cv` f64 (1.0 is Poisson); of a batch `batch_size` i64 and, if given,
    `deadline_s` f64."""
    slo = attr_def(DictionaryAttr)
    """`ttft_s`, `tbt_s`, `first_output_s`, `end_to_end_s`, `percentile` (0..100), `quality`, each f64 if given."""
    profile = opt_attr_def(DictionaryAttr)
    """Device name -> part -> {latency_s, tbt_s, usd_per_token, usd_per_call}, each f64 if given."""
    kv_transfer = opt_attr_def(ArrayAttr)
    """Dictionaries {from, to: string, latency_s, usd_per_prompt_token: f64}; pairs not listed are forbidden."""
    priority = opt_attr_def(IntegerAttr)
    """i64, 0 if not given: where visits wait for one pool, those of the largest go first."""
    graphs = opt_attr_def(DictionaryAttr)
    """Of graphs that share a fleet: name -> {`share` of requests, `slo`, `kv_transfer`, `priority`}."""
    body = region_def("single_block")
    traits = traits_def(NoTerminator(), SymbolTable(), SymbolOpInterface())

    @property
    def nodes(self) -> Iterator[Operation]:
        """The nodes, in file order: every op of the body that is a symbol."""
        return (op for op in self.body.block.ops if op.has_trait(SymbolOpInterface))

    @property
    def edges(self) -> Iterator[EdgeOp]:
        """The edges, in file order."""
        return (op for op in self.body.block.ops if isinstance(op, EdgeOp))

    def verify_(self) -> None:
        from .flow import verify_flow  # the graph rules are shared with the reader, which gives them spans

        for number, message in verify_flow(self):
            raise VerifyException(f"({number}) {message}")


class NodeOp(IRDLOperation):
    """What every node has: a name, and what the user asks of its placement."""

    sym_name = attr_def(StringAttr)
    place = opt_attr_def(DictionaryAttr)
    """`on`: array of device names; `with`, `apart`: node names."""
    slo = opt_attr_def(DictionaryAttr)
    profile = opt_attr_def(DictionaryAttr)
    priority = opt_attr_def(IntegerAttr)
    """These three as in `agent.graph`, for this node alone."""
    call = opt_attr_def(StringAttr)
    """Names the exact call: nodes of one `call` do the same with the outputs of the same predecessors."""
    split = opt_attr_def(DictionaryAttr)  # classes of visits: `parts` i64, or `prompt_tokens`, thresholds, f64 each
    traits = traits_def(SymbolOpInterface())


@irdl_op_definition
class LLMCallOp(NodeOp):
    """
    One call to a language model: a prefill, then `output_tokens` decode steps.

        "agent.llm_call"() {sym_name = "think", model = "llama-3.1-8b", ...} : () -> ()

    (C1) `prompt_tokens` and `output_tokens` are at least 1 on average.
    (C2) `tp`, `pp`, `ep` and `dp`, where given, are at least 1. (C3) `model` is the first of `models`, where given.
    """

    name = "agent.llm_call"
    model = attr_def(StringAttr)
    models = opt_attr_def(ArrayAttr)
    """Names of all that may answer, where there are several: the plan takes one."""
    qualities = opt_attr_def(DictionaryAttr)
    """Model -> quality of its answers, f64."""
    adapter = opt_attr_def(DictionaryAttr)
    """`name`, `rank` i64 and, if given, `targets` (names) of the low-rank adapter on the weights."""
    precision = opt_attr_def(StringAttr)
    kv_precision = opt_attr_def(StringAttr)
    prompt_tokens = attr_def(DistAttr)
    """[tokens] of the first visit"""
    output_tokens = attr_def(DistAttr)
    """[tokens] of each visit"""
    prompt_growth = attr_def(FloatAttr)
    """[tokens] added on each revisit"""
    cached_prefix_tokens = attr_def(FloatAttr)
    """[tokens] of the prompt that are already cached on the first visit"""
    continues = opt_attr_def(StringAttr)
    """Names the call whose prompt and output are the start of this call's prompt: of use in batches."""
    temperature = opt_attr_def(FloatAttr)
    """of sampling; at 0 equal prompts get equal answers"""
    tp = opt_attr_def(IntegerAttr)
    pp = opt_attr_def(IntegerAttr)
    ep = opt_attr_def(IntegerAttr)
    dp = opt_attr_def(IntegerAttr)

    def verify_(self) -> None:
        for name in ("prompt_tokens", "output_tokens"):
            attribute = self.attributes[name]
            if isinstance(attribute, DistAttr) and attribute.value.mean < 1:
                raise VerifyException(f"(C1) `{name}` of `{self.sym_name.data}` is under 1")
        for degree, name in ((self.tp, "tp"), (self.pp, "pp"), (self.ep, "ep"), (self.dp, "dp")):
            if degree is not None and degree.value.data < 1:
                raise VerifyException(f"(C2) `{name}` of `{self.sym_name.data}` is under 1")
        if self.models is not None and (not len(self.models) or self.models.data[0] != self.model):
            raise VerifyException(f"(C3) `model` of `{self.sym_name.data}` is not the first of `models`")


@irdl_op_definition
class ModelCallOp(NodeOp):
    """
    One pass of a neural network.

        "agent.model_call"() {sym_name = "hear", model = "whisper-large-v3", inputs = {audio_s = 10.0}} : () -> ()

    (C1) It names a catalogue model or a graph file, not both.
    """

    name = "agent.model_call"
    model = opt_attr_def(StringAttr)
    graph = opt_attr_def(StringAttr)
    """path of an .onnx file as it is written: relative to the folder of the graph"""
    precision = opt_attr_def(StringAttr)
    inputs = attr_def(DictionaryAttr)
    """sizes of one visit: `audio_s` [s], `characters`, `tokens`, `pixels`, `batch`, `steps`; f64 each"""

    def verify_(self) -> None:
        if (self.model is None) == (self.graph is None):
            raise VerifyException(f"(C1) `{self.sym_name.data}` needs one of `model` and `graph`")


@irdl_op_definition
class ToolCallOp(NodeOp):
    """
    A call that leaves the graph.

        "agent.tool_call"() {sym_name = "search", latency = #agent.dist<...>, cpus = 5.0e-01, ...} : () -> ()

    (C1) `concurrency` is at least 1. (C2) `failure` is a probability.
    """

    name = "agent.tool_call"
    latency = attr_def(DistAttr)
    """[s]"""
    cpus = attr_def(FloatAttr)
    memory_mean_bytes = attr_def(FloatAttr)
    memory_peak_bytes = attr_def(FloatAttr)
    usd_per_call = attr_def(FloatAttr)
    concurrency = opt_attr_def(IntegerAttr)
    """calls in flight at once over all replicas; absent: no limit"""
    timeout_s = opt_attr_def(FloatAttr)
    retries = opt_attr_def(IntegerAttr)
    failure = attr_def(FloatAttr)
    mcp = opt_attr_def(StringAttr)
    deterministic = opt_attr_def(UnitAttr)
    """equal inputs get equal outputs"""

    def verify_(self) -> None:
        if self.concurrency is not None and self.concurrency.value.data < 1:
            raise VerifyException(f"(C1) `concurrency` of `{self.sym_name.data}` is under 1")
        if not 0 <= self.failure.value.data <= 1:
            raise VerifyException(f"(C2) `failure` of `{self.sym_name.data}` is no probability")


@irdl_op_definition
class LookupOp(NodeOp):
    """
    A vector or memory lookup: `top_k` of `vectors` of `dimensions`, with an index of `index` kind.

        "agent.lookup"() {sym_name = "recall", vectors = 1000000, dimensions = 768, top_k = 10, index = "flat"} : ...
    """

    name = "agent.lookup"
    vectors = attr_def(IntegerAttr)
    dimensions = attr_def(IntegerAttr)
    top_k = attr_def(IntegerAttr)
    index = attr_def(StringAttr)
    """`flat`, `hnsw` or `ivf`"""
    deterministic = opt_attr_def(UnitAttr)
    """equal inputs get equal outputs"""


@irdl_op_definition
class ComputeOp(NodeOp):
    """
    General-purpose work: `cpu_s` seconds of one core.

        "agent.compute"() {sym_name = "clean", cpu_s = #agent.dist<...>, bytes_in = 0.0, bytes_out = 0.0} : () -> ()
    """

    name = "agent.compute"
    cpu_s = attr_def(DistAttr)
    bytes_in = attr_def(FloatAttr)
    bytes_out = attr_def(FloatAttr)
    deterministic = opt_attr_def(UnitAttr)
    """equal inputs get equal outputs"""


@irdl_op_definition
class StoreOp(NodeOp):
    """
    A write of `bytes` to an observation or memory store.

        "agent.store"() {sym_name = "log", bytes = 4096.0} : () -> ()
    """

    name = "agent.store"
    bytes = attr_def(FloatAttr)


@irdl_op_definition
class RouterOp(NodeOp):
    """
    Picks one of its outgoing edges; the probabilities stand on the edges.

        "agent.router"() {sym_name = "pick"} : () -> ()
    """

    name = "agent.router"


@irdl_op_definition
class CacheOp(NodeOp):
    """
    An exact or semantic cache, looked up in `latency`.

        "agent.cache"() {sym_name = "seen", hit_ratio = 0.3, latency = #agent.dist<...>} : () -> ()

    (C1) `hit_ratio` is a probability.
    """

    name = "agent.cache"
    hit_ratio = attr_def(FloatAttr)
    latency = attr_def(DistAttr)

    def verify_(self) -> None:
        if not 0 <= self.hit_ratio.value.data <= 1:
            raise VerifyException(f"(C1) `hit_ratio` of `{self.sym_name.data}` is no probability")


class NestedOp(NodeOp):
    """What stands for a graph of its own, which it holds."""

    body = region_def("single_block")
    traits = traits_def(NoTerminator(), SymbolOpInterface())

    @property
    def inner(self) -> GraphOp:
        """The graph that it stands for."""
        (graph,) = self.body.block.ops
        assert isinstance(graph, GraphOp)
        return graph

    @property
    def copies(self) -> int | None:
        """How often one visit runs the graph, side by side; None for an agent, which is not copied."""
        return None

    def verify_(self) -> None:
        inside = list(self.body.block.ops)
        if len(inside) != 1 or not isinstance(inside[0], GraphOp):
            raise VerifyException(f"(C1) `{self.sym_name.data}` must hold one `agent.graph` and nothing else")
        if self.copies is not None and self.copies < 1:
            raise VerifyException(f"(C2) `over` of `{self.sym_name.data}` is under 1")


@irdl_op_definition
class AgentCallOp(NestedOp):
    """
    A nested agent: one visit is one way through the graph inside.

        "agent.agent_call"() ({ "agent.graph"() ({ ... }) {...} : () -> () }) {sym_name = "helper"} : () -> ()

    (C1) It holds one `agent.graph` and nothing else.
    """

    name = "agent.agent_call"


@irdl_op_definition
class MapOp(NestedOp):
    """
    A fan-out: one visit is `over` independent ways through the graph inside, and ends with the last of them.

        "agent.map"() ({ "agent.graph"() ({ ... }) {...} : () -> () }) {sym_name = "many", over = 8 : i64} : () -> ()

    (C1) It holds one `agent.graph` and nothing else. (C2) `over` is at least 1.
    """

    name = "agent.map"
    over = attr_def(IntegerAttr)

    @property
    def copies(self) -> int | None:
        """How often one visit runs the graph, side by side."""
        return self.over.value.data


@irdl_op_definition
class EdgeOp(IRDLOperation):
    """
    What follows what, how often, and whether it starts at the first output.

        "agent.edge"() {from = @think, to = @search, probability = 0.4, max_visits = 3 : i64} : () -> ()

    (C1) `probability` is over 0 and at most 1. (C2) `max_visits` is at least 1. (C3) `bytes` is not negative.
    """

    name = "agent.edge"
    source = attr_def(FlatSymbolRefAttr, attr_name="from")
    target = attr_def(FlatSymbolRefAttr, attr_name="to")
    probability = opt_attr_def(FloatAttr)
    max_visits = opt_attr_def(IntegerAttr)
    stream = opt_attr_def(UnitAttr)
    bytes = attr_def(FloatAttr)
    """[bytes] that move along the edge on each visit"""

    @property
    def ends(self) -> tuple[str, str]:
        """The names of the nodes that it leaves and enters."""
        return self.source.string_value(), self.target.string_value()

    def verify_(self) -> None:
        if self.probability is not None and not 0 < self.probability.value.data <= 1:
            raise VerifyException("(C1) `probability` must be over 0 and at most 1")
        if self.max_visits is not None and self.max_visits.value.data < 1:
            raise VerifyException("(C2) `max_visits` must be at least 1")
        if self.bytes.value.data < 0:
            raise VerifyException("(C3) `bytes` must not be negative")


def symbol_of(op: Operation) -> str:
    """The name of a node; ValueError for an op that has none."""
    name = op.attributes.get("sym_name")
    if not isinstance(name, StringAttr):
        raise ValueError(f"`{op.name}` has no name")
    return name.data


def graph_of(module: Operation) -> GraphOp:
    """The `agent.graph` of `module` that no other graph nests."""
    return next(op for op in module.walk() if isinstance(op, GraphOp))


Agent = Dialect(
    "agent",
    [
        GraphOp,
        LLMCallOp,
        ModelCallOp,
        ToolCallOp,
        LookupOp,
        ComputeOp,
        StoreOp,
        RouterOp,
        CacheOp,
        AgentCallOp,
        MapOp,
        EdgeOp,
    ],
    [DistAttr],
)
