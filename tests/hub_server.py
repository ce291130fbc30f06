"""A Hugging Face hub on this machine: the part of its HTTP interface that an upload by `huggingface_hub` uses."""

import base64
import contextlib
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_test_token"


class Hub(ThreadingHTTPServer):
    """Repositories by name, each with its visibility and its files by path; LFS contents by SHA-256.

    `full` makes it refuse large files as a hub without space does; `writable` are the owners the token may write for.
    """

    daemon_threads = True

    def __init__(self, *, writable=("org",), full=False):
        super().__init__(("127.0.0.1", 0), Handler)
        self.private, self.files, self.lfs = {}, {}, {}
        self.writable, self.full = writable, full

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, value=None, **headers):
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def do_POST(self):
        content = self.body()
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(401, {"error": "Invalid credentials"})
        path = self.path.partition("?")[0]
        for pattern, act in (
            (r"/api/repos/create", self.create),
            (r"/api/validate-yaml", lambda sent: self.answer(200, {"errors": [], "warnings": []})),
            (r"/api/models/([^/]+/[^/]+)/preupload/main", self.preupload),
            (r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", self.batch),
            (r"/api/models/([^/]+/[^/]+)/commit/main", self.commit),
        ):
            if found := re.fullmatch(pattern, path):
                return act(content, *found.groups())
        return self.answer(404, {"error": f"no {path}"})

    def create(self, content):
        asked = json.loads(content)
        name = f"{asked['organization']}/{asked['name']}"
        if asked["organization"] not in self.server.writable:
            return self.answer(403, {"error": "no right to create there"})
        if name in self.server.private:
            return self.answer(409, {"error": "is there already", "url": f"{self.server.address}/{name}"})
        self.server.private[name] = asked.get("visibility") == "private" or asked.get("private") is True
        self.server.files[name] = {}
        return self.answer(200, {"url": f"{self.server.address}/{name}"})

    def preupload(self, content, name):
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                "shouldIgnore": False,
            }
            for file in json.loads(content)["files"]
        ]
        return self.answer(200, {"files": files})

    def batch(self, content, name):
        if self.server.full:
            return self.answer(403, {"error": "storage limit reached"})
        objects = [
            {**wanted, "actions": {"upload": {"href": f"{self.server.address}/lfs/{wanted['oid']}"}}}
            for wanted in json.loads(content)["objects"]
        ]
        return self.answer(200, {"transfer": "basic", "objects": objects})

    def commit(self, content, name):
        for line in content.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                self.server.files[name][value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                self.server.files[name][value["path"]] = self.server.lfs[value["oid"]]
        return self.answer(
            200,
            {"commitUrl": f"{self.server.address}/{name}/commit/{'a' * 40}", "commitOid": "a" * 40, "success": True},
        )

    def do_PUT(self):
        content = self.body()
        digest = self.path.rpartition("/")[2]
        if hashlib.sha256(content).hexdigest() != digest:
            return self.answer(400, {"error": "another content than announced"})
        self.server.lfs[digest] = content
        return self.answer(200)

    def do_GET(self):
        name = self.path.partition("?")[0].removeprefix("/api/models/")
        if name not in self.server.private:
            return self.answer(404, {"error": "Repository not found"}, **{"X-Error-Code": "RepoNotFound"})
        return self.answer(200, {"id": name, "modelId": name, "private": self.server.private[name], "siblings": []})


@contextlib.contextmanager
def running(**settings):
    """A hub that answers until the block is left."""
    hub = Hub(**settings)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()
