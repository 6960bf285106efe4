"""X-Ray: segments, what is told of a trace, expressions over it, graphs, and sampling."""
