"""Types, aggregation and scopes: what the names of a statement mean."""
