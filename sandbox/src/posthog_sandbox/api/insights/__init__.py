"""Insights and their views."""
