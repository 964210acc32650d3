"""Costs of this server, as ratios to the simplest MCP server on the same SDK. Run with `make bench`."""
