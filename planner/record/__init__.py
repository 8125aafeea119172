"""plan.json: what a plan says of itself."""
