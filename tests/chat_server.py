"""An OpenAI-compatible server on this machine: what it does to a request is said beforehand, step by step."""

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "sk-secret-of-the-tests"


def completion(text, **more):
    """The body of a good answer."""
    message = {"role": "assistant", "content": text, **more.pop("message", {})}
    choice = {"index": 0, "message": message, "finish_reason": more.pop("finish_reason", "stop"), **more}
    usage = {"prompt_tokens": 5, "completion_tokens": len((text or "").split())}
    return {"object": "chat.completion", "choices": [choice], "usage": usage}


class ChatServer(ThreadingHTTPServer):
    """Answers with the words of the last message, turned round; `script` names what happens to the first requests instead.

    A step is a status, a pair of status and headers, or one of: slow, drip, cut, broken, html, empty, close. `routes` answer
    the bodies of other paths.
    """

    daemon_threads = True

    def __init__(self, script=(), *, key=None, reply=None, routes=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.key, self.reply, self.routes = list(script), key, reply, routes or {}
        self.asked, self.times, self.lock, self.now, self.most = [], [], threading.Lock(), 0, 0
        self.delay = 0.0

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request, client_address):
        """A client that has gone is no news."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            server.asked.append(body)
            server.times.append(time.monotonic())
            step = server.script.pop(0) if server.script else None
            server.now += 1
            server.most = max(server.most, server.now)
        try:
            time.sleep(server.delay)
            self.act(step, body)
        finally:
            with server.lock:
                server.now -= 1

    def act(self, step, body):
        if self.path != "/v1/chat/completions" and self.path not in self.server.routes:
            return self.send(404, {"error": "no such route"})
        if self.server.key and self.headers.get("Authorization") != f"Bearer {self.server.key}":
            return self.send(401, {"error": "bad key"})
        match step:
            case None if self.path in self.server.routes:
                return self.send(200, self.server.routes[self.path](body))
            case None:
                reply = self.server.reply or (lambda said: completion(" ".join(reversed(said.split()))))
                return self.send(200, reply(body["messages"][-1]["content"]))
            case int():
                return self.send(step, {"error": {"message": "no"}})
            case (status, headers):
                return self.send(status, {"error": {"message": "later"}}, headers)
            case "slow":
                time.sleep(3)
                return self.send(200, completion("late"))
            case "drip" | "cut":
                return self.part_of(step)
            case "broken":
                return self.send_bytes(200, b'{"choices": [{"message": {"content": "half')
            case "html":
                return self.send_bytes(200, b"<html>gateway</html>")
            case "empty":
                return self.send(200, {"choices": []})
            case "close":
                self.close_connection = True
                return self.connection.close()

    def part_of(self, step):
        """A body that stops in the middle, or comes a byte at a time for longer than anyone waits."""
        content = json.dumps(completion("never whole")).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if step == "cut":
            self.wfile.write(content[:20])
            self.close_connection = True
            return self.connection.close()
        with contextlib.suppress(OSError):
            for byte in content:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(0.1)

    def send(self, status, value, headers=None):
        self.send_bytes(status, json.dumps(value).encode(), headers)

    def send_bytes(self, status, content, headers=None):
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, text in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)


@contextlib.contextmanager
def serving(script=(), **options):
    """A server that runs while the block does."""
    server = ChatServer(script, **options)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
