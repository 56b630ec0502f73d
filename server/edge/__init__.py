"""The door: deadlines, caps, limits, and what happens when more comes than can be done."""
