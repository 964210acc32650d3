"""The features of the MCP server beside tools: resources, prompts, completions, and the chart."""
