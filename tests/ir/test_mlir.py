"""MLIR itself accepts what we print and, by the exported IRDL alone, refuses modules with one fault each."""

from pathlib import Path

import pytest

from dovetail.ir import mlir
from dovetail.ir.diagnostics import InputError
from dovetail.ir.mlir import find_bindings, verify_in_mlir
from dovetail.ir.text import parse_module, print_module
from dovetail.passes import run_pipeline

BINDINGS = find_bindings()
needs_mlir = pytest.mark.skipif(BINDINGS is None or BINDINGS.irdl is None, reason=mlir.INSTALL)

CASES = Path(__file__).parents[1] / "cases"
NETWORK = """
func.func @main(%x: tensor<1x3x8x8xf32>) -> tensor<1x8x8x8xf32> {
  %w = "nn.weight"() {weight = "w"} : () -> tensor<4x3x1x1xf32>
  %y = "nn.conv"(%x, %w) {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>,
                            groups = 1 : i64} : (tensor<1x3x8x8xf32>, tensor<4x3x1x1xf32>) -> tensor<1x4x8x8xf32>
  %r = "nn.relu"(%y) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %s = "nn.add"(%y, %r) : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %c = "nn.concat"(%s, %y) {axis = 1 : i64} : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x8x8x8xf32>
  func.return %c : tensor<1x8x8x8xf32>
}
"""


def _generic(text: str, pipeline: bool = False) -> str:
    module = parse_module(text, "case.mlir")
    if pipeline:
        run_pipeline(module)
    return print_module(module, generic=True)


@pytest.fixture(scope="module")
def modules() -> dict[str, str]:
    voice = (CASES / "agent_voice.mlir").read_text()
    return {
        "agent": _generic(voice),
        "kinds": _generic((CASES / "agent_kinds.mlir").read_text()),
        "llm": _generic(voice, pipeline=True),
        "plan": _generic((CASES / "plan_voice.mlir").read_text()),
        "nn": _generic(NETWORK),
    }


@needs_mlir
@pytest.mark.parametrize("name", ["agent", "kinds", "llm", "plan", "nn"])
def test_mlir_accepts_what_we_print(modules: dict[str, str], name: str) -> None:
    printed = verify_in_mlir(modules[name])
    for op in parse_module(modules[name], "case.mlir").walk():
        assert op.name in printed or op.name in ("builtin.module", "func.return")


@needs_mlir
@pytest.mark.parametrize("name", ["agent", "kinds", "llm", "plan"])
def test_we_read_what_mlir_prints(modules: dict[str, str], name: str) -> None:
    ours = parse_module(modules[name], "ours.mlir")
    assert parse_module(verify_in_mlir(modules[name]), "mlir.mlir").is_structurally_equivalent(ours)


DIST = '#agent.dist<"lognormal", [-1.500000e+00 : f64, 5.000000e-01 : f64], 0.000000e+00 : f64>'
HEAR = '"agent.edge"() {from = @hear, to = @think, bytes = 3.200000e+05 : f64} : () -> ()'
PICK = '"agent.router"() {sym_name = "pick"'
BARE = '"agent.graph"() {sym_name = "g", objective = "cost", workload = {}, slo = {}} : () -> ()'
SAY_SHARE = "piece = @say.run, pool = @p2, share = 1.000000e+00 : f64"
T3, T4 = "tensor<1x3x8x8xf32>", "tensor<1x4x8x8xf32>"
WEIGHT = '"nn.weight"() {weight = "w"} : ()'
SCALAR = '%k = "nn.weight"() {weight = "k"} : () -> f32'
PAIR = f'%a, %b = "nn.relu"(%y) : ({T4}) -> ({T4}, {T4})'
RELU = f'%r = "nn.relu"(%y) : ({T4}) -> {T4}'
END = '}) {sym_name = "voice-agent"'

BROKEN = [
    ("attribute missing", "agent", 'model = "llama-3.1-8b", ', "", '"model" is expected but not provided'),
    ("name missing", "agent", 'sym_name = "say", ', "", '"sym_name" is expected but not provided'),
    ("bytes missing", "kinds", ", bytes = 3.000000e+04 : f64", "", '"bytes" is expected but not provided'),
    ("phase without its node", "llm", ', node = "think"}', "}", '"node" is expected but not provided'),
    ("transfer without its size", "llm", ", bytes_per_prompt_token = 1.310720e+05 : f64", "", "is expected but not"),
    ("share missing", "plan", SAY_SHARE, "piece = @say.run, pool = @p2", '"share" is expected but not provided'),
    ("pads missing", "nn", "pads = array<i64: 0, 0, 0, 0>, ", "", '"pads" is expected but not provided'),
    ("integer for a string", "agent", 'sym_name = "say"', "sym_name = 5 : i64", "got 'builtin.integer'"),
    ("integer for a float", "agent", "1.600000e+03 : f64", "1600 : i64", "expected base attribute 'builtin.float'"),
    ("float for an integer", "kinds", "top_k = 10 : i64", "top_k = 1.0 : f64", "got 'builtin.float'"),
    ("string for an integer", "plan", "replicas = 2 : i64", 'replicas = "two"', "got 'builtin.string'"),
    ("string for a symbol", "agent", "from = @hear", 'from = "hear"', "expected base attribute 'builtin.symbol_ref'"),
    ("string for an array", "nn", "strides = array<i64: 1, 1>", 'strides = "1, 1"', "'builtin.dense_array'"),
    ("array for a dictionary", "kinds", "workload = {}", "workload = []", "'builtin.dictionary'"),
    ("number for a distribution", "agent", DIST, "3.0 : f64", "expected base attribute 'agent.dist'"),
    ("distribution for a number", "kinds", "3.000000e-01 : f64, latency", f"{DIST}, latency", "'builtin.float'"),
    ("distribution of two parts", "agent", DIST, '#agent.dist<"point", [1.0]>', "expected 3 type arguments, but had 2"),
    ("distribution of four parts", "agent", DIST, '#agent.dist<"a", [], 0.0, 0.0>', "3 type arguments, but had 4"),
    ("kind that is no string", "agent", '<"lognormal"', "<5 : i64", "expected base attribute 'builtin.string'"),
    ("parameters that are no array", "agent", DIST, '#agent.dist<"point", 1.0, 0.0>', "'builtin.array'"),
    ("unknown attribute", "agent", '#agent.dist<"lognormal"', '#agent.law<"lognormal"', "expected dynamic attribute"),
    ("unknown op", "agent", '"agent.tool_call"', '"agent.toll_call"', "unregistered operation 'agent.toll_call'"),
    ("unknown dialect", "agent", '"agent.tool_call"', '"agents.tool_call"', "unregistered dialect"),
    ("operand too many", "nn", WEIGHT, f'"nn.weight"(%x) {{weight = "w"}} : ({T3})', "exactly 0 operands, but got 1"),
    ("operand too few", "nn", RELU, f'%r = "nn.relu"() : () -> {T4}', "exactly 1 operands, but got 0"),
    ("value that is no tensor", "nn", RELU, f"{SCALAR}\n{RELU}", "'builtin.tensor'"),
    ("result too many", "agent", HEAR, f"%0 = {HEAR.replace('-> ()', '-> i64')}", "exactly 0 results, but got 1"),
    ("result too few", "nn", RELU, f'{RELU}\n"nn.relu"(%y) : ({T4}) -> ()', "exactly 1 results, but got 0"),
    ("two results of one", "nn", RELU, f"{RELU}\n{PAIR}", "exactly 1 results, but got 2"),
    ("region too many", "agent", END, "}, {\n" + END, "unexpected number of regions: expected 1 but got 2"),
    ("region on a node", "kinds", PICK, PICK.replace("()", "() ({})"), "number of regions: expected 0 but got 1"),
    ("region missing", "kinds", PICK, f"{BARE}\n{PICK}", "unexpected number of regions: expected 1 but got 0"),
    ("two blocks", "agent", END, '^other:\n"ub.unreachable"() : () -> ()\n' + END, "expected region"),
    ("string for an optional number", "agent", "max_visits = 3 : i64", 'max_visits = "3"', "got 'builtin.string'"),
]
"""(fault, module, what is replaced, by what, what MLIR says)."""


@needs_mlir
@pytest.mark.parametrize(("fault", "name", "old", "new", "says"), BROKEN, ids=[case[0] for case in BROKEN])
def test_mlir_refuses(modules: dict[str, str], fault: str, name: str, old: str, new: str, says: str) -> None:
    assert old in modules[name]
    with pytest.raises(InputError) as caught:
        verify_in_mlir(modules[name].replace(old, new, 1))
    assert says in caught.value.diagnostics[0].message


@needs_mlir
def test_the_place_is_that_of_the_file_where_ops_have_locations() -> None:
    text = (CASES / "agent_voice.mlir").read_text().replace("from = @hear", 'from = "hear"')
    located = print_module(parse_module(text, "voice.mlir"), generic=True, locations=True)
    with pytest.raises(InputError) as caught:
        verify_in_mlir(located)
    assert str(caught.value.diagnostics[0].labels[0].span) == "voice.mlir:6:3"


@needs_mlir
def test_operands_of_a_concat_may_differ_in_type() -> None:
    text = NETWORK.replace(
        "(%s, %y) {axis = 1 : i64} : (tensor<1x4x8x8xf32>", "(%x, %y) {axis = 1 : i64} : (tensor<1x3x8x8xf32>"
    )
    text = text.replace("tensor<1x8x8x8xf32>", "tensor<1x7x8x8xf32>")
    assert '"nn.concat"' in verify_in_mlir(_generic(text))


@pytest.mark.parametrize("packages", [(), ("jaxlib.mlir",)], ids=["none", "bindings without IRDL"])
def test_without_bindings_the_error_says_what_to_install(
    packages: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlir, "PACKAGES", packages)
    monkeypatch.setattr(mlir, "find_bindings", find_bindings.__wrapped__)
    with pytest.raises(InputError) as caught:
        verify_in_mlir("")
    assert caught.value.diagnostics[0].message == mlir.INSTALL
