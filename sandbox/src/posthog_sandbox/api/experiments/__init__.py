"""Experiments and their flags."""
