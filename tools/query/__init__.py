"""HogQL: check it, run it, page through its rows, describe the data."""
