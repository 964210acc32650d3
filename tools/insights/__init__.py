"""Insights: saved queries and their results."""
