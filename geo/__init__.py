"""Fixes, fences, visits and safe regions. Pure: no I/O, clock, randomness or logging.

Read `transition` for what happens and when, `engine` for how a batch of fixes makes it happen.
"""
