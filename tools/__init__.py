"""The tools: one file per area, and `operations.OPERATIONS`, the explicit tuple of all of them.

Importing this package imports no area. Building their models takes a tenth of a second, too long for server startup.
"""
