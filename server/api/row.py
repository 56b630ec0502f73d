"""A row of the table of routes, as short as it can be read, and who may call it."""

from typing import Any

from server.api.route import Handler, Route

#: Who may call a route.
APP, DEVICE, SERVER = ("app",), ("device",), ("server",)
DEVICE_OR_SERVER, TILL = ("device", "server"), ("till", "server")
APP_OR_SERVER, APP_DEVICE_OR_SERVER = ("app", "server"), ("app", "device", "server")
ANYONE: tuple[str, ...] = ()


def row(method: str, path: str, who: tuple[str, ...], handler: Handler, summary: str, **more: Any) -> Route:
    """A row of the table, as short as it can be read."""
    return Route(method=method, path=path, who=who, handler=handler, summary=summary, **more)
