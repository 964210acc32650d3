"""The tables that HogQL can read."""
