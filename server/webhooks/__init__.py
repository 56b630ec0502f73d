"""Outbound webhooks by the Standard Webhooks specification: what happens, told to a retailer's servers."""
