"""Events in ClickHouse, rows in SQLite, and the results that are kept."""
