"""Does onnxruntime give what torch gives?"""

from __future__ import annotations

import numpy as np
import onnxruntime
import torch
from torch import nn

from nst.errors import NstError

TOLERANCE = 1 / 255


def check_parity(net: nn.Module, data: bytes, min_size: int) -> dict[str, float]:
    """Run both on smooth random pictures of the sizes that go wrong first.

    Args:
        net: The network in torch.
        data: The exported model.
        min_size: Smallest height and width that it accepts.

    Returns:
        The largest difference at each size, as {"1x3x256x256": 1e-6, ...}.

    Raises:
        NstError: A difference above `TOLERANCE`; nothing may be written then.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    sizes = [
        (1, 256, 256),
        (1, 203, 301),
        (1, 64, 640),
        (1, 640, 64),
        (1, min_size, min_size),
        (2, 96, 128),
    ]
    generator = torch.Generator().manual_seed(0)
    found = {}
    for batch, height, width in sizes:
        coarse = torch.rand(batch, 3, 9, 9, generator=generator)
        image = nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
        with torch.no_grad():
            expected = net(image).clamp(0, 1).numpy()
        (got,) = session.run(None, {"image": image.numpy()})
        name = f"{batch}x3x{height}x{width}"
        if got.shape != expected.shape:
            raise NstError(f"the exported model turns {name} into {got.shape}: not written.")
        found[name] = float(np.abs(got - expected).max())
        if not found[name] <= TOLERANCE:
            raise NstError(
                f"the exported model differs from torch by {found[name]:.4f} at {name}, more than "
                f"{TOLERANCE:.4f}: not written. Please report this with your checkpoint."
            )
    return found
