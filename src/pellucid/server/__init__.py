"""Who listens: sockets, processes, connections."""
