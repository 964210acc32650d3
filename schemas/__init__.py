"""What a caller may say (Input) and what it is shown (View), one file per area."""
