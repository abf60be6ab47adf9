"""Who answers: runs statements, never builds them."""
