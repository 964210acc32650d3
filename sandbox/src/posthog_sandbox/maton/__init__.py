"""Maton's side: connections, keys and the rate limit."""
