"""Insights and who viewed them."""
