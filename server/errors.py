"""What every error of the server has in common: a message that a person can act on."""


class VicinoError(Exception):
    """Base of the server's errors. The message is one line, says what is wrong and what to do next."""

    #: What a command exits with when this error ends it.
    exit_code = 1


class BadUse(VicinoError):  # noqa: N818 - it names what the user did
    """The command line, the environment or a given file is wrong: nothing was done."""

    exit_code = 2
