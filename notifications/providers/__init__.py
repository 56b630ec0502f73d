"""Carriers of pushes: the only input and output outside `server/`."""
