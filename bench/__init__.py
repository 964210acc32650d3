"""What this server costs, as ratios to the least that an MCP server on the same SDK can cost. Run with `make bench`."""
