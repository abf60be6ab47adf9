"""What happened, kept and drawn."""
