"""Videos, animations and numbered pictures: frames in, frames out, with sound and times kept.

from nst.video import convert
convert(Path("clip.mp4"), Path("out.mp4"), Styliser("starry-night"))
"""

from nst.video.av_writing import CODECS
from nst.video.clip import Clip, Frame, opaque
from nst.video.convert import (
    TARGETS,
    Filter,
    Made,
    Progress,
    check_target,
    convert,
    is_clip,
    is_target,
    writing,
)
from nst.video.numbered import DEFAULT_FPS, by_number, is_pattern, matching

__all__ = [
    "CODECS",
    "DEFAULT_FPS",
    "TARGETS",
    "Clip",
    "Filter",
    "Frame",
    "Made",
    "Progress",
    "by_number",
    "check_target",
    "convert",
    "is_clip",
    "is_pattern",
    "is_target",
    "matching",
    "opaque",
    "writing",
]
