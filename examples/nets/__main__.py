"""Write all networks as tensor-graph JSON into the folder given."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from . import DESIGNED, SEARCHED

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for make in (*DESIGNED, *SEARCHED):
    net = make()
    (folder / f"{net.name}.json").write_text(json.dumps(net.graph(), indent=1) + "\n", encoding="utf-8")
    print(f"{net.name}: {net.operators} operators, {net.trained / 1e6:.2f} M parameters, {net.macs / 1e9:.2f} GMAC")
