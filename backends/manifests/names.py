"""Names, labels and quantities as Kubernetes spells them."""

from __future__ import annotations

import hashlib
import math
import re

_MAX_LABEL = 63


def dns_name(*parts: str) -> str:
    """
    `parts` joined with `-` as a DNS-1123 label that also starts with a letter (RFC 1123, section 2.1; RFC 1035).

    Where letters are changed or cut off, a hash of the parts keeps names of different parts apart.
    """
    plain = "-".join(parts)
    name = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
    if not name or not name[0].isalpha():
        name = f"x-{name}".rstrip("-")
    if name == plain and len(name) <= _MAX_LABEL:
        return name
    mark = hashlib.sha256(plain.encode()).hexdigest()[:6]
    return f"{name[: _MAX_LABEL - 7].rstrip('-')}-{mark}"


def labels(app: str, component: str) -> dict[str, str]:
    """The recommended labels of one component of the workflow `app`."""
    return selector(app, component) | {
        "app.kubernetes.io/managed-by": "dovetail",
        "app.kubernetes.io/part-of": app,
    }


def selector(app: str, component: str) -> dict[str, str]:
    """The labels by which Deployments and Services find the pods of `component`."""
    return {"app.kubernetes.io/name": app, "app.kubernetes.io/component": component}


def cpu_quantity(cores: float) -> str:
    """`cores` in thousandths, at least one: 0.5 is `500m`."""
    return f"{max(1, round(cores * 1000))}m"


def memory_quantity(size_bytes: float) -> str:
    """`size_bytes` in MiB, rounded up: 1e9 is `954Mi`."""
    return f"{math.ceil(size_bytes / 2**20)}Mi"
