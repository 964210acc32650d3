"""Mutations: each removes one protection, and the tests named with it have to fail. See `__main__`."""
