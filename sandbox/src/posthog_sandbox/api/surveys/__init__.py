"""Surveys, their rules and statistics."""
