"""Finds the port for the demo: the usual one, or the next that nobody listens on."""

import errno
import socket

from server.errors import VicinoError

#: How many ports are tried after the usual one.
TRIED = 50


def free_port(host: str, port: int) -> int:
    """`port`, or the next one above it that is free on `host`. Raises VicinoError where there is none."""
    for candidate in range(port, min(port + TRIED, 65_535) + 1):
        if _is_free(host, candidate):
            return candidate
    raise VicinoError(f"no free port from {port} on: choose one with --port")


def _is_free(host: str, port: int) -> bool:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the server itself will: connections of a server that has just ended are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True
