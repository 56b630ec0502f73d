"""The data map's tables of the retailer's own people: nothing in them is about shoppers."""

from server.privacy.table import Table

STAFF: tuple[Table, ...] = (
    Table(
        name="users",
        about="accounts of the retailer's people in the console: address, name, role, password hash",
        other=(
            *("retailer_id", "user_id", "email", "name", "role", "stores", "password_hash"),
            *("totp_secret", "totp_sealed_by", "totp_confirmed", "totp_step", "created_at", "disabled_at"),
        ),
    ),
    Table(
        name="sessions",
        about="which of them are signed in, for 12 hours at most",
        other=("retailer_id", "token_hash", "user_id", "created_at", "seen_at"),
    ),
    Table(
        name="audit",
        about="what they did: append-only, chained by hashes; shoppers by keyed hashes alone",
        other=("retailer_id", "seq", "at", "actor", "action", "subject", "detail", "hash"),
    ),
)
