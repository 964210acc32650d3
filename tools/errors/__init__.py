"""Error tracking: issues, what they changed, and one of them with its stack."""
