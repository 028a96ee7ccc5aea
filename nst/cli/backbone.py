"""`nst backbone`: the loss network and where its weights come from."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from nst.files import sha256_of
from nst.vgg import DEFAULT_BACKBONE, SOURCES, load_weights


def backbone(backbone: str = DEFAULT_BACKBONE) -> None:
    """Show the loss network's sources, which one is in use, and its hash.

    Args:
        backbone: The source to load: one of those listed, or a .pth, .safetensors, .h5 or .onnx
            file of a VGG-16 or VGG-19.
    """
    weights = load_weights(backbone)
    table = Table("source", "here", "what", "SHA-256")
    for name, source in SOURCES.items():
        path = source.locate()
        digest = sha256_of(path)[:16] if path else ""
        table.add_row(name, "yes" if path else "no", source.description, digest)
    console = Console()
    console.print(table)
    console.print(
        f"in use: {weights.name}, {weights.architecture}, pixels as {weights.pixels}\n"
        f"SHA-256 {weights.sha256}",
        soft_wrap=True,
        highlight=False,
    )
