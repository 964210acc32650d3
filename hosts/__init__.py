"""Real hosts and frameworks against this server: connect, list, call, an error, and a clean exit.

    python -m hosts            every client, over stdio and Streamable HTTP
    python -m hosts --quick    the clients that install in a few minutes
    python -m hosts.converters the schema converters of agent frameworks

`matrix.py` lists the clients, `clients/` has a short program for each, `requirements/` their pinned versions.
"""
