"""Actors behind the numbers of an insight."""
