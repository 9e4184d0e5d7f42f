#!/usr/bin/env python3
"""fake-api.py CERT KEY: the sessions API as gateway/tools/session.c expects it, on a free port that it prints."""
import base64, http.server, json, ssl, sys, urllib.parse

SESSIONS = [
    {"id": "a1", "subject": "hanako", "address": "192.0.2.7", "started": "2026-11-21T03:04:05.000Z", "used": "2026-11-21T03:05:05.000Z"},
    {"id": "b/2", "subject": "ta\u001b[2Jro", "address": "2001:db8::1", "started": "2026-11-21T03:04:06.000Z", "used": "2026-11-21T03:05:06.000Z"},
]


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def answer(self, status, body, kind="application/json"):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def serve(self):
        wanted = "Basic " + base64.b64encode("owner:correct horse".encode()).decode()
        url = urllib.parse.urlsplit(self.path)
        user = urllib.parse.parse_qs(url.query).get("user", [None])[0]
        if self.headers["Authorization"] != wanted:
            return self.answer(401, {"type": "about:blank", "status": 401, "reason": "wrong-password", "id": "0123"}, "application/problem+json")
        found = [s for s in SESSIONS if user is None or s["subject"] == user]
        if self.command == "GET" and url.path == "/.sekisho/api/v1/sessions":
            return self.answer(200, {"sessions": found})
        if self.command == "DELETE" and url.path == "/.sekisho/api/v1/sessions" and user is not None:
            return self.answer(200, {"ended": len(found)})
        if self.command == "DELETE" and url.path == "/.sekisho/api/v1/sessions/b%2F2":
            return self.answer(200, {"ended": 1})
        return self.answer(404, {"title": "Not Found", "detail": "no such\nsession"}, "application/problem+json")

    do_GET = do_DELETE = serve


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
