"""A proxy before moto that answers as AWS does on a bad day.

    with FaultProxy("http://127.0.0.1:5000", mode, pick) as proxy: ... proxy.url ...

`mode` is one of MODES; `pick(service, operation)` says which calls it befalls, `paths(path)` which of them by path and
query. What it answered is in `proxy.seen`, a count by (service, operation).
"""
import collections
import http.client
import http.server
import re
import threading
import urllib.parse

SCOPE = re.compile(r"Credential=[^/]+/\d{8}/([^/]+)/([^/]+)/aws4_request")
MODES = ("deny", "throttle", "hang up", "truncate", "garble", "unimplemented")
# Not a fault of its own: what moto cannot do is answered as if the caller lacked the permission.
DENY_WHAT_IS_MISSING = "deny what is missing"


def operation(method, path, headers, body):
    """The service and the operation of a request, as far as the wire shows them."""
    scope = SCOPE.search(headers.get("Authorization", ""))
    service = scope.group(1) if scope else "-"
    target = headers.get("X-Amz-Target")
    if target:
        return service, target.rsplit(".", 1)[-1]
    action = re.search(rb"(?:^|&)Action=([A-Za-z0-9]+)", body or b"")
    if action:
        return service, action.group(1).decode()
    url = urllib.parse.urlsplit(path)
    shape = re.sub(r"[^/]*[0-9:%][^/]*", "*", url.path)
    if service == "s3":
        shape = "/{bucket}" if url.path.strip("/") else "/"
    return service, f"{method} {shape}?{url.query.split('=')[0].split('&')[0]}"


class FaultProxy:
    def __init__(self, upstream, mode, pick, paths=lambda _: True):
        assert mode in (*MODES, DENY_WHAT_IS_MISSING), mode
        self.upstream = urllib.parse.urlsplit(upstream)
        self.mode, self.pick = mode, pick
        self.seen = collections.Counter()
        self.lock = threading.Lock()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else b""
                name = operation(self.command, self.path, self.headers, body)
                if proxy.pick(*name) and paths(self.path):
                    with proxy.lock:
                        proxy.seen[name] += 1
                    return self.fault(name, body)
                status, headers, answer = proxy.forward(self.command, self.path, self.headers, body)
                if status == 501 and proxy.mode == DENY_WHAT_IS_MISSING:
                    return self.error(403, "AccessDeniedException", "not authorized to perform: " + name[1])
                # The answer to HEAD says how long the body would be that it has not.
                lengths = [value for key, value in headers if key.lower() == "content-length" and self.command == "HEAD"]
                self.answer(status, headers, answer, *lengths)

            do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = handle_any

            def answer(self, status, headers, body, length=None):
                self.send_response(status)
                for key, value in headers:
                    if key.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                        self.send_header(key, value)
                self.send_header("Content-Length", str(len(body) if length is None else length))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def fault(self, name, body):
                if proxy.mode == "deny":
                    return self.error(403, "AccessDeniedException", "not authorized to perform: " + name[1])
                if proxy.mode == "throttle":
                    return self.error(400, "ThrottlingException", "Rate exceeded")
                if proxy.mode == "unimplemented":
                    return self.answer(501, [("Content-Type", "text/html")], b"<html>no such thing here</html>")
                if proxy.mode == "hang up":
                    self.close_connection = True
                    return self.connection.close()
                status, headers, answer = proxy.forward(self.command, self.path, self.headers, body)
                if proxy.mode == "truncate":
                    self.answer(status, headers, answer[: len(answer) // 2], length=len(answer) + 1)
                    self.close_connection = True
                    return self.connection.close()
                return self.answer(200, headers, b"\x00\xff{<garbled" + answer[::-1][:40])

            def error(self, status, code, message):
                """One error in the shape that each protocol reads."""
                if self.headers.get("X-Amz-Target"):
                    body = f'{{"__type":"{code}","message":"{message}"}}'.encode()
                    return self.answer(status, [("Content-Type", "application/x-amz-json-1.1")], body)
                scope = SCOPE.search(self.headers.get("Authorization", ""))
                if scope and scope.group(1) in ("s3", "ec2", "iam", "sts", "cloudfront", "route53"):
                    code = {"AccessDeniedException": "AccessDenied", "ThrottlingException": "Throttling"}[code]
                inner = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
                service = scope.group(1) if scope else ""
                if service == "s3":
                    xml = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
                elif service == "ec2":
                    xml = f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>r</RequestID></Response>"
                else:
                    xml = f"<ErrorResponse>{inner}<RequestId>r</RequestId></ErrorResponse>"
                if self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded") or service in ("s3", "cloudfront", "route53"):
                    return self.answer(status, [("Content-Type", "text/xml")], xml.encode())
                body = f'{{"message":"{message}"}}'.encode()
                return self.answer(status, [("Content-Type", "application/json"), ("x-amzn-ErrorType", code)], body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):  # a closed connection is the point of some modes
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def forward(self, method, path, headers, body):
        connection = http.client.HTTPConnection(self.upstream.hostname, self.upstream.port, timeout=120)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for key, value in headers.items():
                connection.putheader(key, value)
            connection.endheaders(body or None)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
