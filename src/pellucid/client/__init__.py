"""The other end, for `trace`: what happens when somebody types a URL, done for real and written down in a Journey."""
