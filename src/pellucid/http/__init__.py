"""What is said: bytes to messages and back, without I/O. The server and the tracing client share it."""
