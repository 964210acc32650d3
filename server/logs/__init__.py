"""What this process records: its log on stderr, and the audit log."""
