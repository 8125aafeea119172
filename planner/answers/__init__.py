"""Questions to the planner: one plan, the best split, the most requests, a frontier, why a plan is as it is."""
