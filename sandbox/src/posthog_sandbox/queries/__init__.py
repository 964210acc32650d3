"""Building blocks shared by the query kinds: filters, dates, columns, actions and running HogQL."""
