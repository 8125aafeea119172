"""Errors of the cost model against measurements, by section; prints them and writes docs/accuracy.md.

    DOVETAIL_DATA=... python benchmarks/accuracy.py [SECTION ...]

The page is made of sections between marks: only those asked for (all, unless said) are replaced.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from accuracy_calibration import section as calibration
from accuracy_operators import section as operators
from accuracy_serving import section as serving

PAGE = Path(__file__).parents[1] / "docs" / "accuracy.md"
SECTIONS: Mapping[str, tuple[str, Callable[[Path], str]]] = {
    "operators": ("Operators: one GEMM, attention call or collective", operators),
    "serving": ("Serving: time to first token and between tokens", serving),
    "calibration": ("Ten measurements of one's own", calibration),
}
"""by name: the heading, and what makes the text from the folder of data"""
HEAD = """# How accurate the cost model is

Errors are |predicted / measured - 1|, bias the mean of predicted / measured - 1. Written by `benchmarks/accuracy.py`.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    names = parser.parse_args().sections or list(SECTIONS)
    data = Path(os.environ["DOVETAIL_DATA"])
    for name in names:
        heading, make = SECTIONS[name]
        text = f"## {heading}\n\n{make(data)}"  # takes minutes: the page is read after it
        PAGE.write_text(replace_section(PAGE.read_text() if PAGE.exists() else HEAD, name, text))


def replace_section(page: str, name: str, text: str) -> str:
    """`page` with the section between its marks replaced, or added at the end."""
    block = f"<!-- {name} -->\n{text}\n<!-- end of {name} -->\n"
    marked = re.compile(rf"<!-- {name} -->\n.*?<!-- end of {name} -->\n", re.DOTALL)
    return marked.sub(lambda _: block, page) if marked.search(page) else f"{page}\n{block}"


if __name__ == "__main__":
    main()
