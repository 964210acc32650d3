"""Pages for people: the data, recent requests and the approval of a connection."""
