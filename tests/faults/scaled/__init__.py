"""The fault rig of several processes over a real Kafka. `runs.py` is the one to read first."""
