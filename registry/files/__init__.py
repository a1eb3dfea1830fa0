"""Safe file writes: atomic, and without following symbolic links."""
