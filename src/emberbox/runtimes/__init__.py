"""Runtime registry, and the bootstraps in their own languages."""
