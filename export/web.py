"""The command `python -m export web MODEL.onnx ... -o site/`: a page that runs the models."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from nst import shipped
from nst.errors import NstError
from nst.files import atomic_write
from nst.images import load, resize
from nst.sidecar import ModelFacts
from nst.styliser import Styliser

RUNTIME = "onnxruntime-web"
RUNTIME_VERSION = "1.30.0"
_RUNTIME_FILES = (
    "ort.wasm.bundle.min.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.webgpu.bundle.min.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)
# Fetched for a page that is kept for use offline; the others are for browsers with WebGPU.
_RUNTIME_ALWAYS = _RUNTIME_FILES[:2]
_PAGE = Path(__file__).parent / "page"
_EXAMPLE = Path(__file__).parent.parent / "examples" / "photos" / "red-panda.jpg"
_THUMBNAIL = 168


@dataclass(frozen=True)
class _Entry:
    """A model of the page."""

    path: Path
    facts: ModelFacts
    grain: float

    @property
    def note(self) -> str:
        """What tells it from other models of its style."""
        bits = {"int8": ", 8 bits", "fp16": ", 16 bits"}.get(self.facts.precision, "")
        motion = ", for motion" if self.facts.stability_weight else ""
        return f"{self.facts.network}{motion}{bits}"


def web(models: list[Path] | None = None, output: Path = Path("site")) -> None:
    """Write a folder that paints photos and the camera in a browser, to be put on any host.

    It holds all that it needs, and asks nothing of other hosts. The runtime, onnxruntime-web, comes
    from its npm package the first time and from a cache after that. Look at it with `nst web`.

    Args:
        models: Models that `python -m export` wrote; by default those that come with nst.
        output: Folder to write. One that holds such a page is replaced.
    """
    from rich.console import Console

    ours = [style.path for style in shipped.styles() if style.full]
    entries = [_entry(path) for path in models or ours]
    if not entries:
        raise NstError("no style comes with this nst: give exported models.")
    # The quick ones first, and of these the default style: the page opens with the first.
    entries.sort(key=lambda e: (e.facts.network != "live", e.facts.style != shipped.DEFAULT_STYLE))
    if output.exists() and not output.is_dir():
        raise NstError(f"{output} is a file: give a new or empty folder.")
    if output.exists() and not (output / "models.json").is_file() and any(output.iterdir()):
        raise NstError(f"{output} holds other files: give a new or empty folder.")
    with Console(stderr=True).status("fetching the runtime ...") as status:
        runtime = _runtime()
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent) as temporary:
            site = Path(temporary) / "site"
            shutil.copytree(_PAGE, site)
            shutil.copytree(runtime, site / "ort")
            status.update("making thumbnails ...")
            _write_models(site, entries)
            _write_offline(site)
            shutil.rmtree(output, ignore_errors=True)
            site.rename(output)
    size = sum(p.stat().st_size for p in output.rglob("*") if p.is_file()) / 1e6
    count = "1 model" if len(entries) == 1 else f"{len(entries)} models"
    print(f"{output}: {count}, {size:.0f} MB. Look at it: nst web {output}")


def _entry(path: Path) -> _Entry:
    grains = {style.path: style.grain for style in shipped.styles()}
    return _Entry(path, Styliser(path, provider="cpu").facts, grains.get(path.resolve(), 0.0))


def _write_models(site: Path, entries: list[_Entry]) -> None:
    """The models, a thumbnail that each made, and what the page must know of them."""
    photo = load(_EXAMPLE)
    photo.to_image().convert("RGB").save(site / "example.jpg", quality=90)
    (site / "models").mkdir()
    records: list[dict[str, Any]] = []
    small = resize(photo, 2 * _THUMBNAIL)
    for entry in entries:
        name = entry.path.name
        if (site / "models" / name).exists():
            raise NstError(f"two models are called {name}: rename one of them.")
        shutil.copyfile(entry.path, site / "models" / name)
        styliser = Styliser(entry.path, provider="cpu")
        picture = styliser.stylise(small, grain=entry.grain).to_image()
        thumbnail = f"models/{entry.path.stem}.jpg"
        _square(picture).save(site / thumbnail, quality=85)
        records.append(
            {
                "name": entry.facts.style,
                "note": entry.note,
                "file": f"models/{name}",
                "thumbnail": thumbnail,
                "min_size": entry.facts.min_size,
                "grain": entry.grain,
                "licence": entry.facts.style_licence,
            }
        )
    text = json.dumps({"example": "example.jpg", "models": records}, indent=1, ensure_ascii=False)
    (site / "models.json").write_text(text + "\n", encoding="utf-8")


def _square(picture: Image.Image) -> Image.Image:
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    cut = picture.convert("RGB").crop((left, top, left + side, top + side))
    return cut.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)


def _write_offline(site: Path) -> None:
    """Tell the service worker what there is, and which version it is."""
    later = {f"ort/{name}" for name in _RUNTIME_FILES if name not in _RUNTIME_ALWAYS}
    files = sorted(p.relative_to(site).as_posix() for p in site.rglob("*") if p.is_file())
    digest = hashlib.sha256()
    for name in files:
        digest.update(name.encode() + (site / name).read_bytes())
    keep = ["./", *(name for name in files if name not in later and name != "offline.js")]
    script = site / "offline.js"
    text = script.read_text(encoding="utf-8").replace(
        "nst-VERSION", f"nst-{digest.hexdigest()[:12]}"
    )
    script.write_text(text.replace("FILES = []", f"FILES = {json.dumps(keep)}"), encoding="utf-8")


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "nst"


def _runtime() -> Path:
    """The folder of the runtime's files, fetched by npm if they are not there yet."""
    folder = _cache() / f"{RUNTIME}-{RUNTIME_VERSION}"
    if all((folder / name).is_file() for name in _RUNTIME_FILES):
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise NstError(f"the page needs {RUNTIME}, which npm fetches: install Node.js with npm.")
    with tempfile.TemporaryDirectory() as temporary:
        package = f"{RUNTIME}@{RUNTIME_VERSION}"
        done = subprocess.run(
            [npm, "pack", package, "--silent"], cwd=temporary, capture_output=True, text=True
        )
        archives = list(Path(temporary).glob("*.tgz"))
        if done.returncode or not archives:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise NstError(f"npm could not fetch {package} ({reason}): is there a network?")
        _unpack(archives[0].read_bytes(), folder)
    return folder


def _unpack(archive: bytes, folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        folder.mkdir(parents=True, exist_ok=True)
        for name in _RUNTIME_FILES:
            try:
                member = tar.extractfile(f"package/dist/{name}")
            except KeyError:
                member = None
            if member is None:
                raise NstError(f"{RUNTIME} {RUNTIME_VERSION} lacks {name}: its files have changed.")
            with atomic_write(folder / name) as path:
                path.write_bytes(member.read())
