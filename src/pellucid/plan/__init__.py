"""What is asked and what it takes; knows no HTTP and no SQL."""
