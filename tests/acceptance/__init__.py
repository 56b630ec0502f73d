"""Stories told over HTTP: a real server, a real PostgreSQL, the stand-in FCM."""
