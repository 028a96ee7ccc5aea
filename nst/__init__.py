"""Neural style transfer: train a small network per painting, run it anywhere, compare it.

Importing this package is light: torch is only imported by the modules that need it
(`nst.vgg`, `nst.losses`, `nst.network`, `nst.optimise`).
"""

__version__ = "0.1.0"
