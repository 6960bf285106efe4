"""AWS X-Ray: traces that functions and others record, and what can be asked of them."""
