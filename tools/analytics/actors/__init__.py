"""Lists the persons or groups behind a number of a typed query."""
