"""Queries: the kinds that are sent, their turns, and those that outlive a call."""
