"""Live video: feeds that give their newest frame, the window's session, recording and latency."""
