"""The fault rig: a real server, a real PostgreSQL, phones, tills and a stand-in FCM, and what goes wrong.

`scenario.py` is the one to read first. What must hold whatever goes wrong is in `invariants.py`.
"""
