"""Control plane of the Lambda API: one module per group of operations."""
