"""Video in and out: sources of frames, sinks, masks and overlays."""
