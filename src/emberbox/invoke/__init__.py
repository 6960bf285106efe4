"""Front of the data plane: resolve, admit, run."""
