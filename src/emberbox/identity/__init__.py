"""Who calls: credentials and principals."""
