"""Pools that go down when they are idle: a ScaledObject of KEDA for each."""

from __future__ import annotations

import math
from typing import Any

from .names import dns_name, labels
from .view import PoolView

POLLING_S = 1
"""How often KEDA looks; a visit that finds the pool down waits so much longer for its start to begin."""


def scaled_object(app: str, pool: PoolView) -> dict[str, Any]:
    """All replicas of the plan while something is in the pool, none once nothing was for the keep-alive time.

    What holds requests while no pod is up, and counts them, is the user's: `serverAddress` and `query` are left open.
    """
    component = dns_name(pool.id)
    trigger = {
        "type": "prometheus",
        "metadata": {"serverAddress": "", "query": "", "threshold": "1", "activationThreshold": "0"},
    }
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {
            "name": dns_name(app, component),
            "labels": labels(app, component),
            "annotations": {
                "dovetail.dev/value-needed": "serverAddress and query: requests held for the pool or served by it"
            },
        },
        "spec": {
            "scaleTargetRef": {**_kind(pool), "name": dns_name(app, component)},
            "idleReplicaCount": 0,
            "minReplicaCount": pool.replicas,
            "maxReplicaCount": pool.replicas,
            "cooldownPeriod": math.ceil(pool.keep_alive_s or 0.0),
            "pollingInterval": POLLING_S,
            "triggers": [trigger],
        },
    }


def _kind(pool: PoolView) -> dict[str, str]:
    """What holds the pool's replicas: KEDA takes it for a Deployment unless it is said."""
    group = {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet"}
    return group if pool.hosts > 1 else {}
