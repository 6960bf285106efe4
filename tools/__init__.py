"""What the project's own programs share: demo, benchmark and system tests. Not installed."""
