"""Event source mappings at work: read a source, filter, batch, invoke, settle."""
