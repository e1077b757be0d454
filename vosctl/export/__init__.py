"""Export of a network as ONNX graphs."""
