"""How problems are said. Add a format: write its file here, and use it in `registry.cli.check`."""
