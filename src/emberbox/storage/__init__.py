"""Durable state: SQL and code packages."""
