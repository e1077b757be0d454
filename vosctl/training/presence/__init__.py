"""Training of the head that tells presence, on cached features of a network that does not change."""
