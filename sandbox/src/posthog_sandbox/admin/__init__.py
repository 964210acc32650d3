"""Endpoints for tests: faults on demand and a settable clock."""
