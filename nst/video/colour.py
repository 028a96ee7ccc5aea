"""How the colours of a video are coded, so that they come out as they went in."""

from __future__ import annotations

from dataclasses import dataclass, replace

# The numbers of ITU-T H.273, which FFmpeg and all containers use.
UNSPECIFIED = 2
_BT709, _SMPTE170M, _TRANSFER_SRGB = 1, 6, 13
_PQ, _HLG = 16, 18

_SCALER_NAMES = {1: "bt709", 4: "fcc", 5: "bt470", 6: "smpte170m", 7: "smpte240m", 9: "bt2020"}


@dataclass(frozen=True)
class Colour:
    """The codes of a video's colours, by H.273.

    Attributes:
        primaries: What red, green and blue are.
        transfer: The curve between light and code.
        matrix: From RGB to luma and chroma.
        full_range: Whether luma goes from 0 to 255 in place of 16 to 235.
    """

    primaries: int
    transfer: int
    matrix: int
    full_range: bool = False

    @property
    def is_hdr(self) -> bool:
        """Whether it reaches beyond white: PQ, as in HDR10, or HLG."""
        return self.transfer in (_PQ, _HLG)

    @property
    def scaler_matrix(self) -> str:
        """FFmpeg's name of the matrix, for its filter `scale`."""
        return _SCALER_NAMES[self.matrix]

    @property
    def scaler_range(self) -> str:
        """FFmpeg's name of the range, for its filter `scale`."""
        return "full" if self.full_range else "limited"


SRGB = Colour(_BT709, _TRANSFER_SRGB, _BT709)
"""Of pictures that become a video."""
_SDR = Colour(_BT709, _BT709, _BT709)


def complete(colour: Colour, size: tuple[int, int]) -> Colour:
    """Fill in the matrix where a video does not say, as players do: BT.601 if it is small.

    Args:
        colour: What the video says.
        size: Its width and height in pixels.
    """
    if colour.matrix in _SCALER_NAMES:
        return colour
    # As mpv and Kodi have it; whatever is larger than PAL television is BT.709.
    small = size[0] < 1280 and size[1] <= 576 and colour.primaries != _BT709
    return replace(colour, matrix=_SMPTE170M if small else _BT709)


def written(colour: Colour) -> Colour:
    """What a stylised video is coded in, so that players show the colours of the source.

    The range is limited, which every player takes; HDR becomes BT.709.
    """
    return _SDR if colour.is_hdr else replace(colour, full_range=False)
