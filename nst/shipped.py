"""The styles that come with nst: models, their facts and their paintings, in `nst/styles/`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nst.errors import NstError, unknown
from nst.sidecar import ModelFacts, sidecar_path

FOLDER = Path(__file__).parent / "styles"

DEFAULT_STYLE = "starry-night"
"""Name of the style that is used when none is asked for; if empty, the first one shipped."""

_GRAIN = {
    "cafe-terrace": 0.03,
    "great-wave": 0.025,
    "ink": 0.03,
    "paper-cut": 0.03,
    "starry-night": 0.04,
}
"""What suits a style by eye; see `nst.grain`. The Scream's long strokes and the shipwreck's smooth
skies are better without."""


@dataclass(frozen=True)
class ShippedStyle:
    """One model that comes with nst.

    Attributes:
        name: Name of the style. Several models may share it.
        network: "standard" or "live".
        precision: "fp32", "fp16-weights", "int8-weights", "fp16" or "int8".
        path: The model.
        style_image: The painting, or None if it is not shipped.
        facts: All that is known of the model.
    """

    name: str
    network: str
    precision: str
    path: Path
    style_image: Path | None
    facts: ModelFacts

    @property
    def full(self) -> bool:
        """Whether it computes in full precision; others are variants of models that do."""
        return self.precision in ("fp32", "fp16-weights", "int8-weights")

    @property
    def grain(self) -> float:
        """Grain that suits photos, as `nst.styliser.Styliser.stylise` takes it."""
        return _GRAIN.get(self.name, 0.0)


def styles() -> list[ShippedStyle]:
    """All shipped models by name; of one name, the standard network in full precision first.

    Those that were trained for stable motion come after the plain ones.

    Raises:
        NstError: A model has no sidecar, or a broken one.
    """
    found = [_read(path) for path in FOLDER.glob("*.onnx")]

    def place(style: ShippedStyle) -> tuple[str, bool, float, bool, str]:
        live = style.network != "standard"
        motion = style.facts.stability_weight
        return style.name, live, motion, not style.full, style.path.name

    return sorted(found, key=place)


def find(name: str = "", *, moving: bool = False) -> ShippedStyle:
    """The first shipped model of a style.

    Args:
        name: Name of the style, or of a model's file without `.onnx`, which tells models of one
            style apart. If empty, the default style.
        moving: For video: the first that was trained for stable motion; else the first live one.

    Raises:
        NstError: No such style; says which name is near.
    """
    shipped = styles()
    if not shipped:
        raise NstError("no style comes with this nst: give the file of an exported model.")
    wanted = name or DEFAULT_STYLE or shipped[0].name
    match = [style for style in shipped if wanted in (style.name, style.path.stem)]
    if not match:
        raise unknown("style", wanted, dict.fromkeys(style.name for style in shipped))
    if not moving:
        return match[0]
    return min(match, key=lambda s: (s.facts.stability_weight <= 0, s.network != "live"))


def _read(path: Path) -> ShippedStyle:
    sidecar = sidecar_path(path)
    try:
        text = sidecar.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NstError(f"cannot read {sidecar} ({error}): install nst again.") from error
    facts = ModelFacts.from_json(text, sidecar)
    image = path.with_name(facts.style_image) if facts.style_image else None
    return ShippedStyle(
        name=facts.style,
        network=facts.network,
        precision=facts.precision,
        path=path,
        style_image=image if image and image.is_file() else None,
        facts=facts,
    )
