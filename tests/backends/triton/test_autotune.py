"""Autotuning: the tile that was fastest is in the source, results stay right, and nothing is timed twice.

There need be no GPU: clocks of `clocks.py` time kernels in Triton's interpreter, all else is what runs on one.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import dovetail
from dovetail import cli
from dovetail.backends.placed.executors import Target
from dovetail.backends.tiles_text import tiles_text
from dovetail.backends.triton.autotune import Autotune, require_same
from dovetail.backends.triton.launches import TRIED
from dovetail.backends.triton.messages import Named
from dovetail.backends.triton.tuning_process import fastest, timed
from dovetail.costmodel.hardware import find_device
from dovetail.ir.diagnostics import InputError

GPU = """\
devices:
  gpu: {model: h100-sxm, price: {rent: 2 USD/h}}
"""
SIZES = (48, 80, 80, 80, 12)
INPUT = np.linspace(-2, 2, 6 * SIZES[0], dtype=np.float32).reshape(6, SIZES[0])


def network(seed: int = 0) -> Callable[..., object]:
    """Four products, two of them equal but for their weights, and a softmax."""
    import jax

    rng = np.random.default_rng(seed)
    first, *inner, last = (rng.standard_normal(shape).astype(np.float32) / 7 for shape in pairwise(SIZES))

    def forward(x):
        h = x @ first
        for weight in inner:
            h = jax.nn.relu(h @ weight)
        return jax.nn.softmax(h @ last, axis=-1)

    return forward


def clock(name: str) -> Autotune:
    return Autotune(clock=Named("clocks", name, Path(__file__).parent))


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fleet of one GPU; times are kept in a folder of the test's own."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "fleet.yaml").write_text(GPU)
    return tmp_path / "fleet.yaml"


def source_of(program: dovetail.Program) -> str:
    return program.network.steps[0].executor.sources["network.py"]


def without_tiles(source: str) -> str:
    return re.sub(r"\b(block_\w+|num_\w+)=\d+", "", re.sub(r"\s", "", source)).replace(",", "")


@pytest.mark.usefixtures("triton")
def test_the_fastest_tiles_are_in_the_source_and_results_stay_right(fleet: Path) -> None:
    plain = dovetail.compile(network(), fleet=fleet, example_inputs=(INPUT,))
    tuned = dovetail.compile(network(), fleet=fleet, example_inputs=(INPUT,), autotune=clock("later_is_faster"))
    assert plain.tiles is None
    assert tuned.tiles is not None
    (piece,) = tuned.tiles["pieces"]
    kernels = {(row["kernel"], row["shape"]): row for row in piece["launches"]}
    product = kernels["matmul", "(6, 80) (80, 80) -> (6, 80)"]
    assert product["launches"] == 2
    assert len(product["times"]) == TRIED
    for row in piece["launches"]:
        assert row["of_cost_model"] == row["times"][0]["tile"]
        assert row["tile"] == row["times"][-1]["tile"] != row["of_cost_model"]
        text = re.escape(",".join(f"{key}={value}" for key, value in row["tile"].items()))
        called = rf"{row['kernel']}\([^#]*{text},?\)#{re.escape(row['shape'].replace(' ', ''))}"
        assert len(re.findall(called, re.sub(r"\s", "", source_of(tuned)))) == row["launches"]
    assert without_tiles(source_of(plain)) == without_tiles(source_of(tuned))
    ast.parse(source_of(tuned))
    np.testing.assert_allclose(tuned(INPUT), plain(INPUT), rtol=1e-5, atol=1e-6)
    assert tuned.verify(INPUT)["holds"]


@pytest.mark.usefixtures("triton")
def test_times_are_real_and_kept(fleet: Path, tmp_path: Path) -> None:
    """The second time to the last digit what the first measured: with other weights, too, and in the saved folder."""
    given = {"fleet": fleet, "example_inputs": (INPUT,), "autotune": clock("by_processor")}
    one, other = (dovetail.compile(network(seed), **given) for seed in (0, 1))
    assert one.tiles == other.tiles
    assert source_of(one) == source_of(other)
    assert one.tiles is not None
    for row in one.tiles["pieces"][0]["launches"]:
        times = [tried["ms"] for tried in row["times"]]
        assert all(ms > 0 for ms in times)
        assert row["tile"] == row["times"][times.index(min(times))]["tile"]
    one.save(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "autotune.json").read_text()) == one.tiles
    assert (tmp_path / "out" / "triton" / "network" / "network.py").read_text() == source_of(one)
    said = tiles_text(one.tiles).splitlines()
    assert len(said) == 1 + len(one.tiles["pieces"][0]["launches"]) + 2
    assert "of 4 launches that differ got another tile than the cost model's" in said[-1]


@pytest.mark.usefixtures("triton", "fleet")
def test_pieces_on_other_devices_stay_as_they_are() -> None:
    """Two equal products on the GPU have one source; where nothing is on one, no clock is asked."""
    given = {"example_inputs": (INPUT,), "placement": ["epyc-9554", "h100-sxm"] * 2 + ["epyc-9554"] * 3}
    plain = dovetail.compile(network(), **given)
    tuned = dovetail.compile(network(), **given, autotune=clock("by_processor"))
    assert tuned.tiles is not None
    assert [piece["piece"] for piece in tuned.tiles["pieces"]] == ["p1", "p3"]
    assert tuned.tiles["pieces"][0]["launches"] == tuned.tiles["pieces"][1]["launches"] != []
    sources = [[step.executor.sources for step in program.network.steps] for program in (plain, tuned)]
    assert [a == b for a, b in zip(*sources, strict=True)] == [True, False, True, False, True]
    assert [step.executor.folder for step in tuned.network.steps][1:4:2] == ["triton/p1"] * 2
    np.testing.assert_allclose(tuned(INPUT), plain(INPUT), rtol=1e-5, atol=1e-6)
    here = dovetail.compile(network(), example_inputs=(INPUT,), autotune=clock("none"))
    assert here.tiles is None
    assert tiles_text(here.tiles) == "tiles: nothing to time, since no piece runs as Triton kernels\n"


@pytest.mark.usefixtures("triton")
def test_tiles_that_all_fail_are_told(fleet: Path) -> None:
    with pytest.raises(InputError, match=r"timing tiles fails: .*none of 8 tiles runs: out of shared memory"):
        dovetail.compile(network(), fleet=fleet, example_inputs=(INPUT,), autotune=clock("none"))


@pytest.mark.skipif(find_spec("torch") is not None, reason="tells that torch is not installed")
def test_without_a_gpu_it_is_refused_before_any_work(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="autotuning times kernels on a GPU, and torch is not installed"):
        dovetail.compile("no-such-file.onnx", autotune=True)
    assert cli.main(["compile", "no-such-file.onnx", "--autotune", "-o", "out"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error[autotune]: autotuning times kernels on a GPU, and torch is not installed\n")


def test_the_gpu_here_must_be_the_one_that_tiles_are_for() -> None:
    target = Target("fast", "gpu", find_device("h100-sxm"))
    require_same("NVIDIA H100 80GB HBM3", target)
    for name, said in (
        ("NVIDIA L4", "NVIDIA L4, the catalogue's `l4`"),
        ("Riva", "Riva, which the catalogue does not"),
    ):
        with pytest.raises(InputError, match=f"tiles for `fast`, the catalogue's `h100-sxm`, cannot .* GPU is {said}"):
            require_same(name, target)


@pytest.mark.usefixtures("triton")
def test_tiles_that_are_refused_are_passed_over() -> None:
    from triton.runtime.errors import OutOfResources

    took = {1: OutOfResources(2, 1, "shared memory"), 2: 3.0, 3: 1.0, 4: ValueError("too wide"), 5: 2.0}
    tried: list[int] = []

    def time_ms(run: Callable[[], None]) -> float:
        run()
        found = took[tried[-1]]
        if isinstance(found, Exception):
            raise found
        return found

    tiles = [{"block": size} for size in took]
    times = timed(lambda block: tried.append(block), tiles, time_ms)
    assert times == [None, 3.0, 1.0, None, 2.0]
    assert tiles[fastest(times)] == {"block": 3}
    with pytest.raises(RuntimeError, match="none of 1 tiles runs: out of resource: shared memory"):
        timed(lambda block: tried.append(block), tiles[:1], time_ms)
