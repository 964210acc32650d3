"""Feature flags: rules, evaluation, copies and dependents."""
