"""The HogQL language as the check reads it."""
