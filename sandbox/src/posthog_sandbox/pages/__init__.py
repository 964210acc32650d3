"""Pages for people: the data, the requests as they arrive, the approval of a connection."""
