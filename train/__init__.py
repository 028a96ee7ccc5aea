"""Train one style network with PyTorch Lightning: `python -m train fit --config FILE`."""
