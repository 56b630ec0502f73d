"""How a row of the table of routes is written, and who its people are."""

from typing import Any, Final

from server.accounts.roles import ROLES
from server.api.route import Handler, Route

#: The query of a list.
PAGE: Final = ("cursor", "limit")
#: Who may call a route.
ANYONE: Final[tuple[str, ...]] = ()
APP, DEVICE, SERVER = ("app",), ("device",), ("server",)
DEVICE_OR_SERVER, TILL = ("device", "server"), ("till", "server")
APP_OR_SERVER, APP_DEVICE_OR_SERVER = ("app", "server"), ("app", "device", "server")

#: People in the console, by their roles, beside the retailer's servers.
EVERYBODY: Final = ("server", *ROLES)
SIGNED_IN: Final = tuple(ROLES)
MARKETERS = ("server", "admin", "marketer")
WATCHERS = ("server", "admin", "manager", "marketer")
ADMIN, PRIVACY, AUDITORS = ("admin",), ("privacy",), ("admin", "privacy")


def row(method: str, path: str, who: tuple[str, ...], handler: Handler, summary: str, **more: Any) -> Route:
    """A row of the table, as short as it can be read."""
    return Route(method=method, path=path, who=who, handler=handler, summary=summary, **more)
