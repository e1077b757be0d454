"""Weights: the registry of named ones, the user's own store of them, and the one reader of checkpoints."""
