"""Pictures from files, bytes, streams, Pillow images or arrays, and back to files.

Everything between is one plain form: 8-bit sRGB, upright, with the transparency kept aside.
"""

from nst.images.picture import (
    FORMATS,
    Picture,
    is_picture_path,
    on_white,
    pillow_format,
    resize,
    stretch,
    strips,
)
from nst.images.reading import MAX_PIXELS, PictureSource, load
from nst.images.writing import DEFAULT_QUALITY, encode, save

__all__ = [
    "DEFAULT_QUALITY",
    "FORMATS",
    "MAX_PIXELS",
    "Picture",
    "PictureSource",
    "encode",
    "is_picture_path",
    "load",
    "on_white",
    "pillow_format",
    "resize",
    "save",
    "stretch",
    "strips",
]
