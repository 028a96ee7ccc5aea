"""The image transformation network and the layers it is made of."""

from nst.network.transform import NETWORKS, TransformNet

__all__ = ["NETWORKS", "TransformNet"]
