"""Planning problems, each with its data, its model and its independent check."""
