"""Ten measurements of a device that was never measured, or of one serving cell: the error on the rest.

    DOVETAIL_DATA=... python benchmarks/calibrate.py

Prints the section `calibration` of docs/accuracy.md; `benchmarks/accuracy.py calibration` writes it there too.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from accuracy_calibration import section

if __name__ == "__main__":
    section(Path(os.environ["DOVETAIL_DATA"]))
