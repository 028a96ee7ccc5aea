"""The photorealism term: how far a picture is from a locally affine map of the content's colours.

Luan et al. 2017, "Deep Photo Style Transfer", eq. 2. The matrix is made by
`nst.optimise.matting.matting_laplacian`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nst.errors import NstError

if TYPE_CHECKING:
    from scipy.sparse import sparray


class _QuadraticForm(torch.autograd.Function):
    """Σ over channels of Vᵀ M V, and its gradient 2 M V, by a product with SciPy's M."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, matrix: sparray) -> Tensor:
        # In double precision: the sum is of differences much smaller than their terms.
        columns = image.detach().double().flatten(2).movedim(2, 0)
        product = matrix @ columns.flatten(1).cpu().numpy()
        product = torch.from_numpy(product).to(image.device).view_as(columns)
        ctx.save_for_backward(product.movedim(0, 2).reshape(image.shape).to(image.dtype))
        return (product * columns).sum((0, 2)).to(image.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (product,) = ctx.saved_tensors
        return 2 * product * gradient.view(-1, 1, 1, 1), None


def affine_loss(image: Tensor, matrix: sparray) -> Tensor:
    """Σ over channels of Vᵀ M V for each sample (luan2017, eq. 2), V the pixels of a channel.

    Args:
        image: (B, 3, H, W) in [0, 1].
        matrix: M, sparse, symmetric, (H·W, H·W): the matting Laplacian of the content.

    Returns:
        (B,), of the picture's type.

    Raises:
        NstError: The matrix is of another picture size.
    """
    pixels = image.shape[-2] * image.shape[-1]
    if matrix.shape != (pixels, pixels):
        raise NstError(
            f"the matting Laplacian is of {matrix.shape[0]} pixels, the picture has {pixels}: "
            "compute it for the content at this size."
        )
    loss: Tensor = _QuadraticForm.apply(image, matrix)
    return loss
