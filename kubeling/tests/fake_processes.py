"""Programs that stand in for `python -m server` and `python -m runtime` where the command is tested."""

from pathlib import Path

SERVER = """
import http.server, json, pathlib, signal, ssl, sys, threading
config = json.loads(pathlib.Path(sys.argv[2]).read_text())
print("serving", flush=True)
CONDITION = {"type": "Ready", "status": "True"}
NODE = {
    "metadata": {"name": "fake"},
    "status": {"conditions": [CONDITION], "addresses": [{"type": "InternalIP", "address": "192.0.2.2"}],
               "nodeInfo": {"kubeletVersion": "v1.37.0", "containerRuntimeVersion": "fake://1"}},
}
IMAGES = {"images": [{"names": ["example/tool:1"], "id": "sha256:0123456789abcdef", "sizeBytes": 1500000}]}

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body, code=200):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.path == "/readyz":
            self.answer(b"ok")
        elif self.path == "/version":
            self.answer({"gitVersion": "v1.37.0"})
        elif self.path == "/api/v1/nodes":
            self.answer({"items": [NODE]})
        elif self.path.endswith("/proxy/images"):
            self.answer(IMAGES)
        else:
            self.answer(NODE)

    def body(self):
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def do_POST(self):
        body = self.body()
        if body.startswith(b"bad"):
            self.answer({"kind": "Status", "message": "the archive holds no image", "code": 400}, 400)
        else:
            self.answer({"images": [f"{len(body)} bytes"]})

class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

server = Server(("127.0.0.1", config["port"]), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(config["servingCertificate"]["certificate"], config["servingCertificate"]["key"])
context.load_verify_locations(config["clientCA"])
context.verify_mode = ssl.CERT_REQUIRED
server.socket = context.wrap_socket(server.socket, server_side=True)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
"""
BROKEN = 'import sys; print("the reason for the failure", flush=True); sys.exit(4)'
KNOWING = (
    'import sys; print("2026-01-02T03:04:05.678Z ERROR   server: cannot start: the database is damaged");'
    " sys.exit(1)"
)
IDLE = "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL); signal.pause()"


def install(directory: Path, *, server: str = SERVER, runtime: str = IDLE) -> Path:
    """A directory for PYTHONPATH whose `server` and `runtime` go before the real ones."""
    for package, code in (("server", server), ("runtime", runtime)):
        (directory / package).mkdir(parents=True)
        (directory / package / "__init__.py").touch()
        (directory / package / "__main__.py").write_text(code)
    return directory
