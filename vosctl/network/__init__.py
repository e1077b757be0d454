"""The networks as torch modules, and the table that describes them."""
