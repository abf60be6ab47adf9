"""Names: the walk from the root, the system's way, and the DNSSEC chain."""
