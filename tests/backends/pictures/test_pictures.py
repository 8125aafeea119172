"""Pictures as text: small ones held whole, every one in the grammar of its format, no label that breaks out of it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from xdsl.dialects.builtin import ModuleOp

import dovetail
from dovetail.backends.pictures import FORMATS, draw, picture_of
from dovetail.backends.pictures.dot import dot
from dovetail.backends.pictures.mermaid import mermaid
from dovetail.backends.pictures.picture import Arrow, Box, Group, Picture, boxes_of
from dovetail.backends.pictures.svg import svg
from dovetail.cli import main as dovetail_main
from dovetail.ir.diagnostics import InputError
from dovetail.ir.read.graph import read_graph
from dovetail.ir.text import parse_module
from dovetail.opt import main as opt_main
from dovetail.opt import read_module
from dovetail.passes import find_pass, run_passes
from dovetail.passes.lower_llm_call import lower_llm_calls

CASES = Path(__file__).parents[2] / "cases"
Golden = Callable[[str, str], None]
Network = Callable[[int], ModuleOp]
FORMAT_OF = {"dot": "dot", "mmd": "mermaid", "svg": "svg"}

NASTY = [
    '"];  evil -> bad; "',
    "\\",
    '\\"',
    "two\nlines\r\n%% comment",
    "%%{init: {'theme': 'dark'}}%%",
    "</text><script>alert(1)</script>",
    "<b>&amp;#quot;</b>",
    "]] --> n9",
    "`**bold**`",
    "\x00\x07\u202e",
    "end",
    "x|y|z",
    "",
]
HOSTILE = Picture(
    NASTY[0],
    (
        *(Box(f"a{n}", label, label, label) for n, label in enumerate(NASTY)),
        Group('g"];', NASTY[5], (Box("b", NASTY[4]), Group("h", NASTY[0], (Box("c", NASTY[3]),), NASTY[2])), NASTY[1]),
    ),
    tuple(Arrow("b", f"a{n}", label, n % 2 == 0) for n, label in enumerate(NASTY)),
)


def plan_module() -> ModuleOp:
    return parse_module((CASES / "plan_voice.mlir").read_text(), "plan_voice.mlir")


def modules(network: Network) -> dict[str, ModuleOp]:
    """A module of each level."""
    calls, phases = read_graph(CASES / "nested").module, read_graph(CASES / "nested").module
    lower_llm_calls(phases)
    return {"workflow": calls, "phases": phases, "plan": plan_module(), "network": network(12)}


DRAWN = (
    "pictures/workflow.dot",
    "pictures/workflow.mmd",
    "pictures/workflow.svg",
    "pictures/phases.dot",
    "pictures/phases.mmd",
    "pictures/phases.svg",
    "pictures/plan.dot",
    "pictures/plan.mmd",
    "pictures/plan.svg",
    "pictures/network.dot",
    "pictures/network.mmd",
    "pictures/network.svg",
)


@pytest.mark.parametrize("file", DRAWN)
def test_text(golden: Golden, network: Network, file: str) -> None:
    level, _, ending = file.removeprefix("pictures/").partition(".")
    golden(file, draw(modules(network)[level], FORMAT_OF[ending]))


def pictures(network: Network) -> list[Picture]:
    return [HOSTILE, *map(picture_of, modules(network).values())]


DOT_TEXT = re.compile(r'"(?:[^"\\\n]|\\.)*"')
DOT_LINE = re.compile(
    r"digraph T \{|\}|(graph|node|edge) \[.*\];|subgraph T \{|label=T; style=T; fillcolor=T;"
    r"|n\d+ \[label=T, fillcolor=T\];|n\d+ -> n\d+( \[(label=T)?(, )?(style=dashed)?\])?;"
)


def test_dot_is_in_the_grammar(network: Network) -> None:
    for picture in pictures(network):
        lines = [DOT_TEXT.sub("T", line).strip() for line in dot(picture).splitlines()]
        assert [line for line in lines if not DOT_LINE.fullmatch(line)] == []
        assert sum(" -> " in line for line in lines) == len(picture.arrows)
        assert sum(line.endswith("{") for line in lines) == lines.count("}")


def test_labels_of_dot_read_back_whole() -> None:
    def read(text: str) -> str:
        return re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], text[1:-1])

    found = [read(text) for text in re.findall(r"\[label=(" + DOT_TEXT.pattern + r"), fillcolor", dot(HOSTILE))]
    for label in NASTY[:3]:
        assert f"{label}\n{label}" in found


MERMAID_LINE = re.compile(
    r'flowchart TD|n\d+\["T"\]|subgraph g_n\d+_\d+ \["T"\]|end|n\d+ (-->|-\.->)(\|"T"\|)? n\d+'
    r"|classDef k\d+ fill:#[0-9a-f]{6},stroke:#4a5568,color:#222222|class n\d+(,n\d+)* k\d+"
)
MERMAID_TEXT = re.compile(r'"[^"#&<>`{}|;%\\\']*(?:(?:#\d+;|<br/>)[^"#&<>`{}|;%\\\']*)*"')


def test_mermaid_is_in_the_grammar(network: Network) -> None:
    for picture in pictures(network):
        text = mermaid(picture)
        lines = [MERMAID_TEXT.sub('"T"', line).strip() for line in text.splitlines()]
        assert [line for line in lines if not MERMAID_LINE.fullmatch(line)] == []
        assert sum("->" in line for line in lines) == len(picture.arrows)
        names = re.findall(r"subgraph (\w+)", text)
        assert len(names) == len(set(names)) == lines.count("end")


def test_svg_is_well_formed_and_holds_every_label(network: Network) -> None:
    for picture in pictures(network):
        root = ET.fromstring(svg(picture))
        tags = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert tags <= {"svg", "title", "style", "defs", "marker", "path", "rect", "text"}
        texts = {element.text for element in root.iter() if element.tag.endswith("}text")}
        for box in picture.boxes:
            if box.label.isprintable() and box.label:
                assert box.label in texts
        assert sum(e.get("class") == "a" for e in root.iter()) == len(picture.arrows)


def test_twelve_layers_are_one_group(network: Network) -> None:
    picture = picture_of(network(12))
    (group,) = [item for item in picture.items if isinstance(item, Group)]
    assert group.label == "\u00d7 12"
    inner = [item for item in group.items if isinstance(item, Group)]
    assert [each.label for each in inner] == ["\u00d7 3 side by side"]  # heads of q, k and v
    labels = [box.label for box in boxes_of(group.items)]
    assert labels.count("rms_norm") == 1
    assert labels.count("gelu") == 1
    assert len(list(picture.boxes)) < 20
    assert len(list(picture_of(network(1)).boxes)) == len(list(picture.boxes))


def test_arrows_of_a_folded_network_lead_in_and_out(network: Network) -> None:
    picture = picture_of(network(12))
    label = {box.id: box.label for box in picture.boxes}
    arrows = {(label[arrow.source], label[arrow.target]) for arrow in picture.arrows}
    assert {
        ("tanh", "rms_norm"),
        ("input", "attention: scale 0.3"),
        ("add", "rms_norm"),
        ("rms_norm", "output"),
    } <= arrows
    assert not any(arrow.source == arrow.target for arrow in picture.arrows)


def test_layers_of_densenet_are_drawn_once() -> None:
    onnx = pytest.importorskip("onnx")
    file = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / "light_densenet121.onnx"
    picture = picture_of(read_module(str(file)))
    groups = [item for item in picture.items if isinstance(item, Group)]
    assert groups[0].label == "\u00d7 6"
    assert any("\u2026" in box.detail for box in boxes_of(groups[0].items))  # channels grow from layer to layer
    assert len(list(picture.boxes)) <= 100


def test_a_nested_agent_is_a_group_before_and_after_inlining() -> None:
    nested, inlined = read_graph(CASES / "nested").module, read_graph(CASES / "nested").module
    run_passes(inlined, [find_pass("inline-agents")()])
    before, after = picture_of(nested), picture_of(inlined)
    assert before.items == after.items
    assert set(before.arrows) == set(after.arrows)


@pytest.mark.parametrize("format", FORMATS)
def test_opt_and_plan_draw(capsys: pytest.CaptureFixture[str], format: str) -> None:
    nested = str(CASES / "nested")
    assert opt_main([nested, "--emit", format]) == 0
    drawn = capsys.readouterr().out
    assert drawn == draw(read_graph(CASES / "nested").module, format)
    assert dovetail_main(["plan", nested, "--emit", format]) == 0
    printed = capsys.readouterr()
    assert printed.out == dovetail.plan(nested).picture(format)  # type: ignore[arg-type]
    assert "helper/think.prefill" in printed.out
    assert "warning[plan]" in printed.err


def test_a_module_with_nothing_to_draw_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "empty.mlir").write_text("builtin.module {}")
    assert opt_main([str(tmp_path / "empty.mlir"), "--emit", "dot"]) == 1
    assert "error[picture]: there is nothing to draw" in capsys.readouterr().err
    with pytest.raises(InputError):
        draw(parse_module("", "nothing.mlir"), "svg")
