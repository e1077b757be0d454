"""Pointing at objects on a picture that stands still: the window, its events, and what they mean."""
