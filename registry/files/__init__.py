"""Writing files safely: atomically, and without following symbolic links."""
