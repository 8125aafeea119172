"""The collector is off inside, and afterwards as it was before."""

import gc

import pytest

from dovetail.ir.collector import collector_paused


@pytest.mark.parametrize("was_on", [True, False])
def test_the_collector_is_as_before_even_after_an_error(was_on: bool) -> None:
    @collector_paused()
    def fail() -> None:
        assert not gc.isenabled()
        raise KeyError

    before = gc.isenabled()
    try:
        (gc.enable if was_on else gc.disable)()
        with pytest.raises(KeyError):
            fail()
        assert gc.isenabled() == was_on
    finally:
        (gc.enable if before else gc.disable)()
