"""Measuring speed and memory: each configuration in a process of its own, on made clips."""
