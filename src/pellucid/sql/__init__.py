"""How it is said to a database: builds statements, never runs them."""
