"""The placement model: variables, constraints and objective, by the equations of `docs/math/placement.md`."""
