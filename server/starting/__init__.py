"""The start and the end of the process: first answers before anything heavy is loaded, and an exit in time."""
