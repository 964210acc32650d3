"""What can be done: one file an area, and `operations.OPERATIONS`, the one explicit tuple of them all.

Importing this package imports no area: their models take a tenth of a second, which the
start of a server should not pay.
"""
