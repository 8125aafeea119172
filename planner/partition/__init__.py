"""Which ranks hold which part of each tensor of a network, and which ops are a stage of a pipeline."""
