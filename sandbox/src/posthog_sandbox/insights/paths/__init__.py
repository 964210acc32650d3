"""PathsQuery."""
