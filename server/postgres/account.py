"""The operating-system account that PostgreSQL runs under: ours, or for root an unprivileged one."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from server.postgres.errors import PostgresUnavailable

_UNPRIVILEGED = "nobody"


@dataclass(frozen=True, kw_only=True)
class Account:
    """A user and its primary group."""

    name: str
    uid: int
    gid: int

    @property
    def is_ours(self) -> bool:
        return self.uid == os.geteuid()

    def give(self, path: Path) -> None:
        """Makes the account the owner of `path`."""
        if not self.is_ours:
            os.chown(path, self.uid, self.gid)

    def may_enter(self, folder: Path) -> bool:
        """Whether the account may pass through `folder` and all above it."""
        folder = folder.resolve()
        return all(self._may_search(part) for part in (folder, *folder.parents) if part.exists())

    def may_run(self, program: Path) -> bool:
        return program.exists() and self.may_enter(program.parent) and self._may_search(program)

    def _may_search(self, path: Path) -> bool:
        """The execute bit for this account, by the classic modes (no access lists)."""
        if self.is_ours:
            return os.access(path, os.X_OK)
        status = path.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & 0o100)
        if status.st_gid == self.gid:
            return bool(status.st_mode & 0o010)
        return bool(status.st_mode & 0o001)


def server_account() -> Account:
    """Whom the server runs as: us. PostgreSQL refuses root, so for root it is `nobody`."""
    uid = os.geteuid()
    try:
        entry = pwd.getpwuid(uid) if uid else pwd.getpwnam(_UNPRIVILEGED)
    except KeyError:
        who = f"user id {uid}" if uid else f"user {_UNPRIVILEGED!r}"
        raise PostgresUnavailable(
            f"{who} has no passwd entry, which PostgreSQL needs: set VICINO_DATABASE_URL"
        ) from None
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)
