"""What says where the objects are in a frame."""
