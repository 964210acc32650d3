"""Compile SELECT queries clause by clause."""
