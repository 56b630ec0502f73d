"""Becomes a PostgreSQL program: `python -I -S child.py PARENT UID GID PROGRAM ARGUMENT...`

Run as a program of its own, so that no code runs between fork and exec in the parent, whose threads may
hold any lock. Gives up root, asks the kernel for SIGINT (PostgreSQL's fast shutdown) when the parent dies,
then is replaced by the program, under the same process id.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, uid: int, gid: int, command: list[str]) -> None:
    if os.geteuid() != uid:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # After setuid, which clears it. Other systems find a left-over server at the next start.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:  # it died before we asked
            sys.exit(1)
    os.umask(0o077)
    os.chdir("/")
    os.execv(command[0], command)  # noqa: S606 - what this program is for


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
