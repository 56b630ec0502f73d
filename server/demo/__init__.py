"""The demo: central Helsinki, its real shops and streets, and simulated shoppers who use the public API."""
