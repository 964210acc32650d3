"""Experiments: the objects and their results."""
