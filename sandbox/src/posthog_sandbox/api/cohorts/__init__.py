"""Cohorts and their rules."""
