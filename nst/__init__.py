"""Neural style transfer: train a small network per painting, run it anywhere, compare it.

Importing this package is light: torch is only imported by the modules that need it
(`nst.vgg`, `nst.losses`, `nst.network`, `nst.optimise`).
"""

import os

__version__ = "0.1.0"

# From 1.29 on onnxruntime keeps an identifier of the machine and reports runs and models to its
# maker, unless this is set before it is loaded. Who wants that sets it to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
