"""FunnelsQuery."""
