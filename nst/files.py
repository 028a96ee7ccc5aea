"""Files written whole or not at all, and their hashes."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path

from nst.errors import NstError


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Give a temporary path to write to; it becomes `path` when the block ends well.

    On any failure in the block, Ctrl-C included, the temporary file is removed and whatever stood
    at `path` before still does.

    Args:
        path: File to write. A link is followed.

    Yields:
        An empty new file in the same folder, with the same extension.

    Raises:
        NstError: The folder is missing or read-only, the disk is full, `path` is a folder or a
            device, or anything else the operating system refuses inside the block.
    """
    try:
        target = Path(path).resolve()
        # Renaming over /dev/null, say, would replace the device for everyone.
        if target.exists() and not target.is_file():
            kind = "folder" if target.is_dir() else "device"
            raise NstError(f"cannot write {path}: it is a {kind}. Give the name of a file.")
        # A short name of its own: the target's may already be as long as the file system allows.
        temporary = target.with_name(f".nst-{secrets.token_hex(8)}{target.suffix}")
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        temporary.replace(target)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _cannot_write(path: str | Path, error: OSError) -> NstError:
    reason = error.strerror or str(error)
    return NstError(
        f"cannot write {path} ({reason}): choose a folder that exists, can be written and has room."
    )


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()
