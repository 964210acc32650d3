"""TrendsQuery."""
