"""Storage: events in ClickHouse, rows in SQLite, and cached query results."""
