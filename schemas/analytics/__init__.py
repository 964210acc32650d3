"""Inputs and results of the typed queries."""
