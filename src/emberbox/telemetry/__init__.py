"""Logs and usage of functions."""
