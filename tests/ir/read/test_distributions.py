"""How distributions are written: each form, its unit, and what is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dovetail.ir.diagnostics import Diagnostics
from dovetail.ir.distribution import Distribution
from dovetail.ir.read.distributions import Dist
from dovetail.ir.read.fields import Reading
from dovetail.ir.source import SourceFile, SourceMap

TIME, TOKENS = Dist("time"), Dist(None, positive=True)


def read(kind: Dist, value: Any, base: Path | None = None) -> tuple[Distribution | None, list[str]]:
    """The distribution, and the messages of the faults."""
    to = Reading(SourceMap(SourceFile("x.yaml", "")), Diagnostics(), base)
    found = kind.read(value, ("latency",), to)
    return found, [fault.message for fault in to.faults.errors]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (TIME, "300 ms", Distribution.point(0.3)),
        (TOKENS, 500, Distribution.point(500.0)),
        (TIME, {"mean": "300 ms", "p95": "900 ms"}, Distribution.lognormal_mean_p95(0.3, 0.9)),
        (TOKENS, {"p50": 100, "p95": 400}, Distribution.lognormal_p50_p95(100.0, 400.0)),
        (TIME, {"quantiles": {"p95": "2 s", "p50": "1 s"}}, Distribution("quantiles", (0.5, 1.0, 0.95, 2.0))),
        (TOKENS, {"quantiles": {"p0": 1, "p99.9": 9}}, Distribution("quantiles", (0.0, 1.0, 0.9990000000000001, 9.0))),
        (TIME, {"samples": [100, 300], "unit": "ms"}, Distribution("samples", (0.1, 0.3))),
        (TOKENS, {"samples": [1, 2.5]}, Distribution("samples", (1.0, 2.5))),
    ],
)
def test_forms(kind: Dist, value: Any, expected: Distribution) -> None:
    found, faults = read(kind, value)
    assert faults == []
    assert found is not None
    assert (found.kind, found.params) == (expected.kind, pytest.approx(expected.params))
    jsonschema.validate(value, kind.schema())


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (TIME, 3, "`latency`: `3` has no unit"),
        (TOKENS, 0, "`latency` must be over 0, not `0`"),
        (TOKENS, "12", "`latency` must be a number, not `12`"),
        (TIME, {}, "`latency`: `{}` is no distribution"),
        (TIME, {"mean": "1 s"}, "`latency`: `{mean}` is no distribution"),
        (TIME, {"mean": "0 s", "p95": "1 s"}, "`latency`: no lognormal distribution has mean `0 s` and p95 `1 s`"),
        (TIME, {"p50": "2 s", "p95": "1 s"}, "`latency`: no lognormal distribution has p50 `2 s` and p95 `1 s`"),
        (TIME, {"quantiles": []}, "`latency.quantiles` must be a mapping such as `{p50: ..., p95: ...}`, not a list"),
        (TIME, {"quantiles": {"q50": "1 s"}}, "`latency.quantiles`: `q50` is no percentile"),
        (TIME, {"samples": [1, 2]}, "`latency` needs `unit`, a unit of a time for its samples"),
        (TIME, {"samples": [1], "unit": "GB"}, "`latency` needs `unit`, a unit of a time for its samples"),
        (TOKENS, {"samples": [1], "unit": "ms"}, "`latency`: tokens have no unit"),
        (TOKENS, {"samples": []}, "`latency.samples` has 0 samples; 1 to 1000000 are possible"),
        (TOKENS, {"samples": [1, -1]}, "`latency.samples[1]` must be 0 or more, not `-1`"),
        (TOKENS, {"samples": "a.csv"}, "`latency.samples` must be a .csv file or a list of numbers, not `a.csv`"),
    ],
)
def test_what_is_none(kind: Dist, value: Any, message: str) -> None:
    assert read(kind, value) == (None, [message])


@pytest.mark.parametrize("text", ["100\n300\n", "ms\n100\n300\n", "\ufeffms\r\n100,\r\n300,\r\n"])
def test_samples_in_a_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    found, faults = read(TIME, {"samples": "a.csv", "unit": "ms"}, tmp_path)
    assert faults == []
    assert found is not None
    assert found.params == pytest.approx((0.1, 0.3))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"1\nx\n", "`latency.samples`: line 2 of `a.csv` is `x`, not a number of 0 or more"),
        (b"1\n-2\n", "`latency.samples`: line 2 of `a.csv` is `-2`, not a number of 0 or more"),
        (b"nan\n", "`latency.samples`: line 1 of `a.csv` is `nan`, not a number of 0 or more"),
        (b"1e999\n", "`latency.samples`: line 1 of `a.csv` is `1e999`, not a number of 0 or more"),
        (b"", "`latency.samples` has 0 samples; 1 to 1000000 are possible"),
        (b"\xff\xfe", "`latency.samples`: samples cannot be read from `a.csv`: it cannot be read as text"),
    ],
)
def test_bad_sample_files(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "a.csv").write_bytes(text)
    assert read(TOKENS, {"samples": "a.csv"}, tmp_path) == (None, [message])
