"""Surveys: the objects and their statistics."""
