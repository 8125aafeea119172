"""Transformations of workflows: on the `agent` dialect, before calls are split into their phases."""
