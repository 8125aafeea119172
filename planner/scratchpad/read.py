"""Reads what is to be planned: a tensor graph in JSON, an ONNX file, or a network as MLIR text."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any

from ...ir.diagnostics import Diagnostic, Diagnostics, InputError, Label, did_you_mean
from ...ir.source import SourceFile, Span
from .problem import Operator, ScratchpadProblem, Tensor

REQUIRED = ("ops", "tensor_bytes_int8", "graph_outputs")
OPTIONAL = ("name", "parameters")
MOST_BYTES = 2**50
"""of a tensor; larger ones, moved some thousand times, come to more than a 64-bit number holds"""


def read_problem(
    path: str | PathLike[str], size_bytes: int, parameters: bool = False, alignment_bytes: int = 1
) -> ScratchpadProblem:
    """
    The graph in the file at `path`, on a scratchpad of `size_bytes`.

    `.json` is a tensor graph: `ops` with `name`, `type`, `inputs` and `outputs`, `tensor_bytes_int8` with the size of
    every tensor [bytes], `graph_outputs`, and where there are any, the names of the `parameters` among the tensors.
    `.onnx` and `.mlir` (the nn dialect) are networks, whose tensors have the size of their element types. With
    `parameters`, weights are tensors too; without it they are left out. Operators that are not in a topological order
    are put in one, each as early as its place in the file lets it be.
    InputError for all that is wrong in the file, with places in it.
    """
    path = Path(path)
    if path.suffix == ".json":
        problem = _Graph(path, parameters).read()
    elif path.suffix in (".onnx", ".mlir"):
        from .read_network import read_network

        problem = read_network(path, parameters)
    else:
        message = f"`{path}` is neither a tensor graph (.json) nor a network (.onnx, .mlir)"
        raise InputError([Diagnostic("unsupported", message)])
    return ScratchpadProblem(problem.name, problem.tensors, problem.operators, size_bytes, alignment_bytes)


class _Graph:
    """A tensor graph in JSON while it is read."""

    def __init__(self, path: Path, parameters: bool) -> None:
        self.source = SourceFile(str(path), _text(path))
        self.name = path.stem
        self.with_parameters = parameters
        self.faults = Diagnostics()

    def read(self) -> ScratchpadProblem:
        document = self._document()
        self.faults.raise_if_errors()
        sizes, operators = document["tensor_bytes_int8"], document["ops"]
        self._check_sizes(sizes)
        self._check_operators(operators, sizes)
        outputs, parameters = document["graph_outputs"], document.get("parameters", [])
        for key, names in (("graph_outputs", outputs), ("parameters", parameters)):
            self._check_names(key, names, sizes)
        self.faults.raise_if_errors()
        made = self._check_producers(operators, set(parameters))
        self.faults.raise_if_errors()
        left_out = set() if self.with_parameters else set(parameters)
        names = [name for name in sizes if name not in left_out]
        index = {name: i for i, name in enumerate(names)}
        kinds = _Kinds(made, set(outputs), set(parameters))
        ops = tuple(
            Operator(
                op["name"],
                tuple(index[t] for t in dict.fromkeys(op["inputs"]) if t in index),
                tuple(index[t] for t in op["outputs"]),
                op.get("type", ""),
            )
            for op in self._sorted(operators)
        )
        tensors = tuple(Tensor(name, sizes[name], kinds.of(name)) for name in names)
        return ScratchpadProblem(document.get("name", self.name), tensors, ops, 0)

    def _document(self) -> dict[str, Any]:
        try:
            document = json.loads(self.source.text, object_pairs_hook=self._once)
        except json.JSONDecodeError as error:
            span = Span(self.source, error.lineno, error.colno)
            raise InputError([Diagnostic("syntax", f"this is not JSON: {error.msg}", (Label(span),))]) from None
        except RecursionError:
            raise InputError([Diagnostic("syntax", f"`{self.source.name}` is nested too deeply")]) from None
        except ValueError:
            message = "a number has more digits than can be read"
            raise InputError([Diagnostic("syntax", message, (Label(self._place(None)),))]) from None
        try:
            json.dumps(document, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            self._wrong("syntax", "a text holds half of a surrogate pair, which is no character")
        if not isinstance(document, dict):
            self._wrong("graph", "a tensor graph is an object with " + ", ".join(f"`{key}`" for key in REQUIRED))
            return {}
        for key in REQUIRED:
            if key not in document:
                self._wrong("graph", f"the graph has no `{key}`", help=did_you_mean(key, document))
        wanted = {"ops": list, "tensor_bytes_int8": dict, "graph_outputs": list, "parameters": list, "name": str}
        for key, kind in wanted.items():
            if key in document and not isinstance(document[key], kind):
                what = {list: "a list", dict: "an object", str: "a text"}[kind]
                self._wrong("graph", f"`{key}` must be {what}", at=key)
        if self.with_parameters and "parameters" not in document:
            help = "list the names of the weights among its tensors under `parameters`"
            self._wrong("parameters", "the graph does not say which of its tensors are parameters", help=help)
        return document

    def _once(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    self._wrong("duplicate-key", f"`{key}` stands twice in one object", at=key)
                seen.add(key)
        return found

    def _check_sizes(self, sizes: dict[str, Any]) -> None:
        for name, size in sizes.items():
            if isinstance(size, bool) or not isinstance(size, int) or size < 0:
                shown = json.dumps(size)[:40]
                self._wrong("size", f"the size of tensor `{name}` is {shown}, must be a whole number of bytes", at=name)
            elif size > MOST_BYTES:
                self._wrong("size", f"tensor `{name}` has more than {MOST_BYTES:,} bytes", at=name)

    def _check_operators(self, operators: list[Any], sizes: dict[str, Any]) -> None:
        seen: set[str] = set()
        for place, op in enumerate(operators):
            if not (isinstance(op, dict) and isinstance(op.get("name"), str)):
                self._wrong("operator", f"operator {place} is no object with a `name`")
                continue
            name = op["name"]
            if name in seen:
                self._wrong("duplicate-name", f"two operators have the name `{name}`", at=name)
            seen.add(name)
            if not isinstance(op.get("type", ""), str):
                self._wrong("operator", f"the type of operator `{name}` is no text", at=name)
            for key in ("inputs", "outputs"):
                if not isinstance(op.get(key), list):
                    self._wrong("operator", f"operator `{name}` has no list `{key}`", at=name)
                else:
                    self._check_names(f"{key} of operator `{name}`", op[key], sizes, at=name)

    def _check_names(self, what: str, names: list[Any], sizes: dict[str, Any], at: str | None = None) -> None:
        for name in names:
            if not isinstance(name, str) or name not in sizes:
                help = did_you_mean(name, sizes) if isinstance(name, str) else None
                shown = json.dumps(name)[:80].strip('"')
                self._wrong("unknown-tensor", f"`{shown}` in {what} is no tensor with a size", at=at or what, help=help)

    def _check_producers(self, operators: list[Any], parameters: set[str]) -> dict[str, int]:
        """The operator that makes each tensor, by place in the file."""
        made: dict[str, int] = {}
        for place, op in enumerate(operators):
            for tensor in op["outputs"]:
                first = made.setdefault(tensor, place)
                if first != place:
                    message = f"tensor `{tensor}` is made by `{operators[first]['name']}` and by `{op['name']}`"
                    self._wrong("two-producers", message, at=op["name"])
                elif op["outputs"].count(tensor) > 1:
                    self._wrong("listed-twice", f"operator `{op['name']}` makes `{tensor}` twice", at=op["name"])
                if tensor in op["inputs"]:
                    message = f"operator `{op['name']}` reads `{tensor}`, which it makes itself"
                    help = "give the result a name of its own; operators in place are asked for with `--in-place`"
                    self._wrong("cycle", message, at=op["name"], help=help)
                if tensor in parameters:
                    self._wrong("parameters", f"parameter `{tensor}` is made by `{op['name']}`", at=op["name"])
        return made

    def _sorted(self, operators: list[Any]) -> list[Any]:
        order = topological([(op["inputs"], op["outputs"]) for op in operators])
        if len(order) < len(operators):
            inside = sorted(set(range(len(operators))) - set(order))
            names = ", ".join(f"`{operators[i]['name']}`" for i in inside[:6]) + (" ..." if len(inside) > 6 else "")
            self._wrong("cycle", f"some operators wait for each other: {names}", at=operators[inside[0]]["name"])
            self.faults.raise_if_errors()
        return [operators[i] for i in order]

    def _wrong(self, id: str, message: str, at: str | None = None, help: str | None = None) -> None:
        self.faults.error(id, message, self._place(at), help=help)

    def _place(self, name: str | None) -> Span:
        """Where `name` first stands in the text."""
        quoted = json.dumps(name, ensure_ascii=False)
        at = self.source.text.find(quoted) if name is not None else -1
        if at < 0:
            return Span(self.source, 1, 1)
        start = self.source.text.rfind("\n", 0, at) + 1
        return Span(self.source, self.source.text.count("\n", 0, at) + 1, at - start + 1, len(quoted))


class _Kinds:
    """What each tensor is."""

    def __init__(self, made: dict[str, int], outputs: set[str], parameters: set[str]) -> None:
        self.made, self.outputs, self.parameters = made, outputs, parameters

    def of(self, name: str) -> str:
        if name in self.parameters:
            return "parameter"
        if name not in self.made:
            return "input"
        return "output" if name in self.outputs else "intermediate"


def topological(operators: list[tuple[list[Any], list[Any]]]) -> list[int]:
    """Places of (inputs, outputs), always the first that can run next; what is in or behind a cycle is missing."""
    from heapq import heapify, heappop, heappush

    made = {tensor: place for place, (_, outputs) in enumerate(operators) for tensor in outputs}
    before = [{made[t] for t in inputs if t in made} for inputs, _ in operators]
    after: list[list[int]] = [[] for _ in operators]
    for place, needed in enumerate(before):
        for other in needed:
            after[other].append(place)
    ready = [place for place, needed in enumerate(before) if not needed]
    heapify(ready)
    waiting, order = [len(needed) for needed in before], []
    while ready:
        place = heappop(ready)
        order.append(place)
        for other in after[place]:
            waiting[other] -= 1
            if not waiting[other]:
                heappush(ready, other)
    return order


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError([Diagnostic("file", f"cannot read `{path}`: {reason}")]) from None
