"""Targets of rules and schedules, and how parcels come to them."""
