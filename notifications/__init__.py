"""What a push is, how it reads, the outbox's rules, and the providers that carry it to a phone."""
