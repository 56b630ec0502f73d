"""The whole of `/openapi.json`, asked by a machine as every kind of caller in turn: whatever it makes up, no
answer is a defect, and each is as it is described.

`make test` asks a little, with one seed. More of it, for as long as one likes:
    PYTHONPATH=. .venv/bin/python -m tests.openapi --seconds 60 --seed 7
"""
