"""Writes what a micro-batch did: all tables but the journal, in the batch's own transaction."""
