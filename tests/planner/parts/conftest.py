"""Helpers beside the tests are importable, though test files are no packages."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
