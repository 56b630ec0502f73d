"""The HTTP edge: routes, who may call them, and the translation between JSON and inputs."""
