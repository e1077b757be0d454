"""Training of the networks that follow and find objects."""
