"""The arguments that callers can pass (Input) and the fields they are shown (View), one file per area."""
