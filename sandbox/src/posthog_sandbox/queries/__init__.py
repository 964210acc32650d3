"""What the query endpoint computes: one module per kind of query, and what they share."""
