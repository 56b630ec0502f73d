"""The learning policy: features, heads, objective, exploration. Pure and deterministic; numpy alone."""
