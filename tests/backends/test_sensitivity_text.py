"""What a study of inputs says of itself, in words."""

from __future__ import annotations

import pytest

from dovetail.backends.sensitivity_text import studied


@pytest.mark.parametrize(
    ("inputs", "reached", "rows", "text"),
    [
        (9, 9, 7, "2 of 9 inputs change nothing when they are 30 % off."),
        (3, 2, 1, "1 of 2 inputs changes nothing when it is 30 % off; 1 was not reached in the time."),
        (4, 1, 1, "0 of 1 input change nothing when they are 30 % off; 3 were not reached in the time."),
    ],
)
def test_how_far_the_study_came(inputs: int, reached: int, rows: int, text: str) -> None:
    assert studied({"inputs": inputs, "studied": reached, "rows": [{}] * rows, "off": 0.3}) == text
