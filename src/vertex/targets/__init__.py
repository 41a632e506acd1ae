"""Where a server can stand besides Vertex AI: each is a file of deploy/ and the commands that take it."""
