"""A whole Vicino in one loop: engine, outbox, relays, FCM, phones and a clock, all drawn from one seed.

No socket, no database, no real time: the pure functions that the server runs (`server.turn`,
`notifications.outbox`) on a state that is kept in memory, with a durable part that survives and a volatile
part that every crash takes. What goes wrong goes wrong often: crashes before and after a commit, requests
that are lost, late, doubled or in another order, relays that die or sleep, an FCM that delivers without
saying so. After each step the promises are asked for (`promises.py`); the same seed does the same again.
"""
