"""What machine and installation this is, and what is wrong with it."""
