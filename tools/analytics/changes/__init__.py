"""Explains a change of a number: whether it is real, since when, and in which part of the users."""
