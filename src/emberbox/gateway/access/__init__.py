"""What a caller needs to be allowed for an operation: actions, and the ARNs they touch."""
