"""The walk-through that `make demo` plays."""
