"""Evidence: what another policy would have done, what speaking changed, and how a budget is spread. Pure."""
