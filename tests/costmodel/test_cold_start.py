"""Cold starts against what was measured."""

from __future__ import annotations

import pytest

from dovetail.costmodel.cold_start import DOWNLOAD_BYTES_PER_S, cold_start_s, load_s


@pytest.mark.parametrize(("parameters", "measured_s"), [(30e9, 34.0), (70e9, 84.0)])
def test_loading_takes_what_was_measured(parameters: float, measured_s: float) -> None:
    """OPT-30B and LLaMA-2-70B in 16 bits: arXiv 2401.14351."""
    assert load_s(2 * parameters) == pytest.approx(measured_s, rel=0.15)


def test_a_start_by_hand() -> None:
    # 34 GB: 6.8 s from the site's storage, 20 s from disk, 34 s for the engine
    assert cold_start_s(34e9) == pytest.approx(54)
    assert cold_start_s(34e9, DOWNLOAD_BYTES_PER_S) == pytest.approx(60.8)
    assert cold_start_s(34e9, loader_bytes_per_s=17e9, engine_s=1.0) == pytest.approx(3)
