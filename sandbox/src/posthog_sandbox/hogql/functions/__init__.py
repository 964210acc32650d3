"""The functions that HogQL can call."""
