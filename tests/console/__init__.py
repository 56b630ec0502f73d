"""The console in a browser: what a person sees and does, end to end."""
