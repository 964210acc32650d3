"""Asking a person before a change is sent."""
