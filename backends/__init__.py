"""Back ends: from a plan to code that runs and manifests that deploy."""
