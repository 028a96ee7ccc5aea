"""Export a trained network to ONNX: `python -m export CHECKPOINT -o NAME.onnx`."""

import nst  # noqa: F401  # before onnxruntime, to which it says something first
