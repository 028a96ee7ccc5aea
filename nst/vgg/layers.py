"""Names of VGG's layers, in the three schemes that papers and code use.

`relu4_2` is after the ReLU, `conv4_2` before it; Keras' `block4_conv2` is `relu4_2`, because its
layers include their activation. `pool4` and `block4_pool` are the output of the fourth pooling.
"""

from __future__ import annotations

import re

from nst.errors import NstError, unknown

BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
"""Convolutions in each of the five blocks (Simonyan and Zisserman, arXiv 1409.1556, table 1)."""
WIDTHS = (64, 128, 256, 512, 512)
"""Channels of each block."""
MIN_SIDE = 2 ** (len(WIDTHS) - 1)
"""Smallest height and width in pixels that every block can look at."""


def layer_names(architecture: str) -> list[str]:
    """All layers in the order of evaluation, as conv1_1, relu1_1, ... pool5.

    Raises:
        NstError: The architecture is not one of `BLOCKS`.
    """
    if architecture not in BLOCKS:
        raise unknown("loss network", architecture, BLOCKS)
    names = []
    for block, count in enumerate(BLOCKS[architecture], start=1):
        for conv in range(1, count + 1):
            names += [f"conv{block}_{conv}", f"relu{block}_{conv}"]
        names.append(f"pool{block}")
    return names


def canonical(name: str, architecture: str) -> str:
    """The layer's name as conv*, relu* or pool*.

    Args:
        name: A layer in any of the naming schemes.
        architecture: "vgg16" or "vgg19".

    Raises:
        NstError: No such layer; the message lists the valid ones.
    """
    short = re.sub(r"^block(\d)_conv(\d)$", r"relu\1_\2", name)
    short = re.sub(r"^block(\d)_pool$", r"pool\1", short)
    names = layer_names(architecture)
    if short not in names:
        raise unknown(f"layer of {architecture}", name, names)
    return short


def deepest(names: list[str], architecture: str) -> str:
    """The one of these canonical layers that is evaluated last.

    Raises:
        NstError: No layer is given.
    """
    if not names:
        raise NstError("no layer given: name at least one, such as relu3_1.")
    order = layer_names(architecture)
    return max(names, key=order.index)
