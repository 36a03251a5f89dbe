"""Serves one page to a browser, and tells on standard output what the page reports.

usage: serve_page.py FILE [LIBRARY]
lines on standard input:
  gateway URL ID_TOKEN   where and as whom `GET /token` gets a temporary token
  release                answers the reports that wait

GET /        the page
GET /library.js
GET /token   {"url": "ws://…", "token": "…"}; 503 when the gateway gives none
POST /       a report: printed as `report BODY`, then answered; one that contains "HOLD" is
             answered behind the line `release`
"""

import http.server
import json
import sys
import threading
import urllib.request

released = threading.Event()
gateway = id_token = None


def temporary_token():
    request = urllib.request.Request(gateway + "/tokens", headers={"Authorization": id_token})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["token"]


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, content_type, body):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/":
            with open(sys.argv[1], "rb") as page:
                self.answer(200, "text/html; charset=utf-8", page.read())
        elif self.path == "/library.js" and len(sys.argv) > 2:
            with open(sys.argv[2], "rb") as library:
                self.answer(200, "text/javascript; charset=utf-8", library.read())
        elif self.path == "/token":
            try:
                token = {"url": gateway.replace("http", "ws", 1), "token": temporary_token()}
            except OSError:
                self.answer(503, "text/plain", b"no gateway")
                return
            self.answer(200, "application/json", json.dumps(token).encode())
        else:
            self.answer(404, "text/plain", b"")

    def do_POST(self):
        report = self.rfile.read(int(self.headers["Content-Length"])).decode()
        sys.stdout.write(f"report {report}\n")
        if "HOLD" in report:
            released.wait()
        self.answer(204, "text/plain", b"")

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdout.write(f"origin http://127.0.0.1:{server.server_address[1]}\n")
for line in sys.stdin:
    command, *values = line.split()
    if command == "gateway":
        gateway, id_token = values
    elif command == "release":
        released.set()
