"""Lets the tests of placement of ops share their graphs and the exhaustive search."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
