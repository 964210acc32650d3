"""Endpoints for tests: fault injection and a settable clock."""
