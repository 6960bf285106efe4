"""Back ends that isolate an execution environment."""
