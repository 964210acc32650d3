"""Persons: filters, changes and actions."""
