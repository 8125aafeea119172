"""Kubernetes manifests of a plan: `emit.py` writes them, `check.py` holds them to what schemas do not say."""
