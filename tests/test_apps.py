"""The snippets of docs/apps.md do what they say, and its table names every field."""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from export.graph import model_bytes, with_facts
from export.io import with_bytes
from nst import shipped
from nst.sidecar import ModelFacts
from nst.styliser import Styliser

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "apps.md").read_text()
STYLE = next(s for s in shipped.styles() if s.network == "live" and s.precision == "fp32")
REQUIRED = os.environ.get("NST_BROWSER") == "required"


def snippet(heading: str) -> str:
    section = TEXT.split(f"\n## {heading}")[1].split("\n## ")[0]
    found = re.search(r"```\w+\n(.*?)```", section, re.DOTALL)
    assert found
    return found[1]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    with Image.open(ROOT / "examples" / "photos" / "owl.jpg") as file:
        file.convert("RGB").resize((173, 121)).save(path)
    return path


def difference(painted: Path, photo: Path) -> int:
    expected = np.asarray(Styliser(STYLE.path, provider="cpu")(photo)).astype(int)
    return int(np.abs(np.asarray(Image.open(painted).convert("RGB")) - expected).max())


def test_every_field_of_the_sidecar_is_explained() -> None:
    table = TEXT.split("## The sidecar")[1].split("\n## ")[0]
    named = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", table, re.MULTILINE))))
    assert named == {f.name for f in dataclasses.fields(ModelFacts)}


def test_python(tmp_path: Path, photo: Path) -> None:
    script, target = tmp_path / "paint.py", tmp_path / "painted.png"
    script.write_text(snippet("Python"))
    command = [sys.executable, str(script), str(STYLE.path), str(photo), str(target)]
    subprocess.run(command, check=True)
    assert difference(target, photo) <= 1
    assert "torch" not in script.read_text()


def test_nothing_is_kept_to_be_reported(tmp_path: Path, photo: Path) -> None:
    (tmp_path / "paint.py").write_text(snippet("Python"))
    own = [str(tmp_path / "paint.py"), str(STYLE.path), str(photo), str(tmp_path / "a.png")]
    # onnxruntime reports nothing of tests, and takes these for their signs.
    signs = ("CI", "GITHUB_ACTIONS", "ORT_RUNNING_UNIT_TESTS", "ORT_DISABLE_TELEMETRY")
    kept = {name: value for name, value in os.environ.items() if name not in signs}
    for number, words in enumerate((own, ["-m", "nst", "stylise", str(photo), "-o", "b.png"])):
        home = tmp_path / str(number)
        home.mkdir()
        homes = {"HOME": str(home), "XDG_CACHE_HOME": str(home), "XDG_DATA_HOME": str(home)}
        subprocess.run([sys.executable, *words], check=True, cwd=tmp_path, env=kept | homes)
        assert list(home.iterdir()) == []


@pytest.mark.skipif(not REQUIRED and not shutil.which("npm"), reason="no Node.js with npm here")
def test_node(tmp_path: Path, photo: Path) -> None:
    facts = dataclasses.replace(STYLE.facts, io="uint8")
    model = tmp_path / "bytes.onnx"
    model.write_bytes(model_bytes(with_facts(with_bytes(onnx.load(STYLE.path)), facts)))
    (tmp_path / "package.json").write_text("{}")
    # The package's own script fetches CUDA, which is not wanted.
    packages = ["onnxruntime-node@1.30.0", "sharp@0.34.5"]
    subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", *packages],
        cwd=tmp_path, check=True,
    )  # fmt: skip
    (tmp_path / "paint.mjs").write_text(snippet("Node"))
    target = tmp_path / "painted.png"
    command = ["node", "paint.mjs", str(model), str(photo), str(target)]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert difference(target, photo) <= 2
