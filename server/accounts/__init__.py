"""People in the console: accounts, roles, passwords, second factors, sessions, and the audit log."""
