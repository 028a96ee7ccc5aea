from __future__ import annotations

import os
import resource
import stat
from pathlib import Path

import pytest

from nst.errors import NstError
from nst.files import atomic_write


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_writes_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "picture.png"
    with atomic_write(target) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".png"
        temporary.write_bytes(b"new")
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert names(tmp_path) == ["picture.png"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_failure_keeps_the_old_file(tmp_path: Path, failure: type[BaseException]) -> None:
    target = tmp_path / "picture.png"
    target.write_bytes(b"old")

    def write_half() -> None:
        with atomic_write(target) as temporary:
            temporary.write_bytes(b"half")
            raise failure

    with pytest.raises(failure):
        write_half()
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["picture.png"]


def test_no_room_is_one_clear_error(tmp_path: Path) -> None:
    target = tmp_path / "picture.png"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with (
            pytest.raises(NstError, match=r"cannot write .*picture\.png .*: choose a folder"),
            atomic_write(target) as temporary,
        ):
            temporary.write_bytes(bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert names(tmp_path) == []


def test_folder_missing_or_a_file_or_the_target_itself(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for target in (tmp_path / "missing" / "a.png", tmp_path / "file" / "a.png", tmp_path):
        with pytest.raises(NstError, match="cannot write"), atomic_write(target):
            pass
    assert names(tmp_path) == ["file"]


def test_devices_are_not_replaced() -> None:
    with pytest.raises(NstError, match="device"), atomic_write(os.devnull):
        pass
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    with atomic_write(tmp_path / "link.txt") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_long_names_and_the_umask(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 251 + ".png")
    with atomic_write(target) as temporary:
        temporary.write_text("x")
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~umask
