"""Execution environments: states, pool, Runtime API."""
