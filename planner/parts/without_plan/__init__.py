"""Why there is no plan, shown before any is sought."""
