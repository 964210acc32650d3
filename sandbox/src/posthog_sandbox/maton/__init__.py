"""Maton's side: connections, keys and the limit of requests."""
