"""What can be wrong with the embedded PostgreSQL."""

from server.errors import VicinoError


class PostgresError(VicinoError):
    """Base of the errors of the embedded PostgreSQL."""


class PostgresUnavailable(PostgresError):  # noqa: N818 - named for what is wrong
    """The programs are missing, or the server could not be made or started; the message says why."""


class DataDirectoryInUse(PostgresError):  # noqa: N818 - named for what is wrong
    """Another process runs a server on this data directory."""
