"""Examines a retailer's set-up by recorded data: what does not work, why, and what would."""
