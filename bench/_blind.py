"""`python -m bench._blind serve`: Vicino without a sense of what pings are worth. For comparison alone."""

import sys

from server.cli import main as vicino
from server.edge.room import Worth
from server.edge.shedding import Shedding


def main() -> None:
    """Refuses by chance: whoever comes while there is no room."""
    Shedding.what_is_left = lambda *_: None  # type: ignore[method-assign]
    Shedding.worth = lambda *_: Worth.MUCH  # type: ignore[method-assign]
    sys.exit(vicino())


if __name__ == "__main__":
    main()
