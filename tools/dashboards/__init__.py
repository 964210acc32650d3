"""Dashboards and the numbers on them."""
