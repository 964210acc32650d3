"""The listening socket, and what it answers while the server is still being imported. Loads nothing heavy."""

import errno
import selectors
import socket
import threading
import time
from contextlib import suppress

HEALTH = "/healthz"
_PATIENCE_S = 1.0
"""How long one client can delay the others, and the server itself."""
_LONGEST_HEAD = 8192
_LONGEST_BODY = 1 << 20
_RESPONSE = (
    "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n"
    "{more}Connection: close\r\n\r\n{text}"
)
_STARTING = "The server is starting.\n"


class PortError(OSError):
    """The server cannot listen on the address. The message is one line that names the setting and the remedy."""


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises PortError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=1024)
        # Recreated from its descriptor, the socket knows its protocol, so asyncio sets TCP_NODELAY on connections.
        # Without that, a response in two writes waits 40 ms for an ACK.
        return socket.socket(fileno=listener.detach())
    except (socket.gaierror, UnicodeError):
        raise PortError(f"--host {host} is not an address of this machine.") from None
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE:
                remedy = f"--port {port} is already in use on {host}; choose another one, or 0 for any free port."
            case errno.EACCES:
                remedy = f"--port {port} needs more privileges; choose 1024 or higher, or 0 for any free port."
            case _:
                remedy = f"--host {host} is not an address of this machine."
        raise PortError(remedy) from None


class LoadingResponder:
    """Answers on a listening socket until `stop`: /healthz with 200, everything else with 503 and Retry-After."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        # A client that has left again since it was reported would block `accept`.
        self._listener.setblocking(False)
        self._waking, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="loading responder", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the connection that is being answered, and leave the listening socket open."""
        self._waking.close()
        self._thread.join()
        self._woken.close()
        self._listener.setblocking(True)

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not any(key.fileobj is self._woken for key, _ in selector.select()):
                with suppress(OSError):  # the client has left, or is too slow
                    connection, _ = self._listener.accept()
                    with connection:
                        _answer(connection)


def _answer(connection: socket.socket) -> None:
    """Read the head of a request and respond. Raises OSError for a client that takes longer than `_PATIENCE_S`."""
    deadline = time.monotonic() + _PATIENCE_S
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _LONGEST_HEAD:
        part = _received(connection, deadline)
        if not part:
            return
        head += part
    healthy = head.startswith((f"GET {HEALTH} ".encode(), f"GET {HEALTH}?".encode()))
    status, text, more = (
        ("200 OK", "ok\n", "") if healthy else ("503 Service Unavailable", _STARTING, "Retry-After: 1\r\n")
    )
    connection.sendall(_RESPONSE.format(status=status, length=len(text), more=more, text=text).encode())
    # A socket that is closed with unread data resets the connection, and the client may lose the response.
    connection.shutdown(socket.SHUT_WR)
    rest = 0
    while rest < _LONGEST_BODY and (part := _received(connection, deadline)):
        rest += len(part)


def _received(connection: socket.socket, deadline: float) -> bytes:
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    connection.settimeout(left_s)
    return connection.recv(65_536)
