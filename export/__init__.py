"""Export a trained network to ONNX: `python -m export CHECKPOINT -o NAME.onnx`."""
