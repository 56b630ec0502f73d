"""What can be wrong with the set-up of push delivery. What becomes of a push is an outcome."""


class NotificationsError(Exception):
    """The base of this package's errors."""


class CredentialsUnusable(NotificationsError):  # noqa: N818 - it names what is wrong
    """The provider's credentials cannot be read, or are of another kind. An operator must replace them."""
