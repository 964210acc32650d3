"""The query endpoint and the query kinds that are not insights."""
