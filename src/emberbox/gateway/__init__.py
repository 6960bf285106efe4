"""The edge: one port, HTTP, service routing, codecs and error envelopes."""
