"""What there is: the user's models as plain data, checked together and frozen."""
