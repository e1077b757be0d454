"""What several tests share: made frames and videos, tiny networks, and stand-ins for engines, feeds and windows."""
