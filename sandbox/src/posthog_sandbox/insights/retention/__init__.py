"""RetentionQuery."""
