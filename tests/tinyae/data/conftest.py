"""No test leaves this machine: an empty cache, no $TINYAE_DATA, no mirrors but servers that a test starts."""

import dataclasses
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import tinyae.data  # noqa: F401

SOURCES = {"MNIST": "mnist", "FASHION": "mnist", "CIFAR10": "cifar10"}  # each in its module of tinyae.data


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The folder that holds the cache's folders; it is not there yet."""
    monkeypatch.delenv("TINYAE_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "*")
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path / "cache"))
    for name, module in SOURCES.items():
        module = sys.modules[f"tinyae.data.{module}"]
        monkeypatch.setattr(module, name, dataclasses.replace(getattr(module, name), mirrors=()))
    return tmp_path / "cache" / "tinyae"


class Server:
    """A mirror: `answers[name]` is (status, body, headers); it waits for `pause` after every byte."""

    def __init__(self):
        self.answers, self.asked, self.pause = {}, [], 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.strip("/")
                server.asked.append(name)
                status, body, headers = server.answers.get(name, (404, b"", {}))
                fields = (f"{key}: {value}" for key, value in headers.items())
                lines = [f"HTTP/1.0 {status} x", *fields, "", ""]
                said = "\r\n".join(lines).encode() + body
                try:
                    if not server.pause:
                        self.wfile.write(said)
                    for i in range(len(said) if server.pause else 0):
                        self.wfile.write(said[i:i + 1])
                        time.sleep(server.pause)
                except OSError:  # nobody listens any more
                    pass

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads, self.http.block_on_close = True, False
        self.address = f"http://127.0.0.1:{self.http.server_address[1]}/"
        # A short poll, so that shutdown does not wait half a second.
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def offer(self, files, status=200, change=lambda body: body, longer=0):
        """Answer with these files, changed, and promise so many bytes more."""
        for name, content in files.items():
            body = change(content)
            self.answers[name] = status, body, {"Content-Length": len(body) + longer}

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def servers():
    """Two mirrors which know nothing yet."""
    pair = Server(), Server()
    yield pair
    for server in pair:
        server.close()


@pytest.fixture
def mirrored(servers, monkeypatch):
    """A function that makes the two servers the mirrors of a source, and these its files."""
    def mirror(name, files):
        module = sys.modules[f"tinyae.data.{SOURCES[name]}"]
        source = getattr(module, name)
        digests = {name: source.digest(content) for name, content in files.items()}
        mirrors = tuple(server.address for server in servers)
        source = dataclasses.replace(source, mirrors=mirrors, digests=digests)
        monkeypatch.setattr(module, name, source)
        return source

    return mirror
