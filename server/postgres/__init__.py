"""An embedded PostgreSQL: made, started, watched and stopped by the process that uses it."""

from server.postgres.errors import DataDirectoryInUse, PostgresError, PostgresUnavailable
from server.postgres.provide import database_url
from server.postgres.supervisor import EmbeddedPostgres

__all__ = ["DataDirectoryInUse", "EmbeddedPostgres", "PostgresError", "PostgresUnavailable", "database_url"]
