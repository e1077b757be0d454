"""Training of the network that finds an object from a box or clicks."""
