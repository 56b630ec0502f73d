"""A stand-in for Firebase Cloud Messaging, its token endpoint and the phones behind it: for tests and demos.

It shares no code with the sender: it is written from FCM's documents, so that a mistake there shows here.
"""
