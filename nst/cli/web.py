"""`nst web`: serve an exported web page on this machine."""

from __future__ import annotations

import functools
import http.server
import sys
import webbrowser
from pathlib import Path
from typing import Any

from nst.errors import NstError

LEADING = "site"
_TYPES = {
    **http.server.SimpleHTTPRequestHandler.extensions_map,
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
}


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, with the headers that threads of WebAssembly need."""

    extensions_map = _TYPES
    isolated = True

    def end_headers(self) -> None:
        """Add the headers."""
        if self.isolated:
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""


class Server(http.server.ThreadingHTTPServer):
    """A server that says nothing of browsers that leave before they have all."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Show what went wrong, unless it is that."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def server(site: Path, port: int) -> Server:
    """A server of a site on this machine alone; port 0 takes any that is free.

    Raises:
        NstError: No such site, or the port is taken.
    """
    if not (site / "models.json").is_file():
        raise NstError(f"{site} holds no page: write one with python -m export web -o {site}.")
    handler = functools.partial(Handler, directory=str(site))
    try:
        return Server(("127.0.0.1", port), handler)
    except (OSError, OverflowError) as error:
        raise NstError(f"port {port} cannot be had ({error}): give another --port.") from error


def web(site: Path = Path("site"), *, port: int = 8000, open: bool = True) -> None:
    """Serve the web page that `python -m export web` wrote, and open it. Ctrl-C ends it.

    On this machine alone, with the headers (COOP and COEP) that let the page use all cores. Give
    them on your own host, too; without them the page runs on one core.

    Args:
        site: Its folder.
        port: On which it is served; 0 for any that is free.
        open: Open it in the browser.
    """
    with server(site, port) as found:
        address = f"http://localhost:{found.server_address[1]}/"
        print(f"nst: {address} shows {site}; Ctrl-C ends it.", flush=True)
        if open:
            webbrowser.open(address)
        try:
            found.serve_forever()
        except KeyboardInterrupt:
            print()
