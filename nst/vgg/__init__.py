"""VGG-16 and VGG-19 as the loss network: layers by name, weights from named, hashed sources."""

from nst.vgg.layers import MIN_SIDE, canonical, layer_names
from nst.vgg.network import BORDERS, POOLING, Vgg
from nst.vgg.sources import DEFAULT_BACKBONE, PIXELS, SOURCES, Weights, load_weights

__all__ = [
    "BORDERS",
    "DEFAULT_BACKBONE",
    "MIN_SIDE",
    "PIXELS",
    "POOLING",
    "SOURCES",
    "Vgg",
    "Weights",
    "canonical",
    "layer_names",
    "load_weights",
]
