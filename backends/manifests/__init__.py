"""Kubernetes manifests for a plan."""
