"""Signs odd requests with botocore, and says how each may be spoilt, for a verifier in a test.

usage: signed_cases.py SEED COUNT ACCESS_KEY_ID SECRET_ACCESS_KEY
Prints a JSON object a line, bodies in base64:
  {"service", "method", "target", "headers": [[NAME, VALUE], …], "body",
   "spoilt": [[WHAT, PART, VALUE], …]}
where PART is "method", "target", "body" or the place of a header, which a null VALUE removes.
"""

import base64
import datetime
import json
import random
import sys
import urllib.parse

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from odd_requests import (HEADER_TEXT, PATH_TEXT, odd_headers, odd_query, other_byte, sign,
                          text_of)

REGION = "us-east-1"
HOST = "gateway.example.com:8443"
URL = "https://" + HOST
# What no HTTP parser changes before it signs: everything but the marks of a query and a fragment.
RAW_PATH_TEXT = "".join(c for c in PATH_TEXT if c not in "?#\t\x7f")


def odd_path(rng):
    """Encoded bytes and raw ones, empty segments and dots, upper and lower hex."""
    def segment():
        return rng.choice([
            lambda: urllib.parse.quote(text_of(rng, PATH_TEXT, 10), safe=""),
            lambda: urllib.parse.quote(text_of(rng, PATH_TEXT, 10), safe="").lower(),
            lambda: text_of(rng, RAW_PATH_TEXT, 10),
            lambda: "@connections",
            lambda: rng.choice(["", ".", "..", "...", ".a", "%2e", "%2F", "%25", "%", "%zz", "~"]),
        ])()
    return "/" + "/".join(segment() for _ in range(rng.randint(0, 6)))


def folded(rng, value):
    """A value over several lines, as HTTP/1.1 once allowed."""
    return value.replace(" ", rng.choice(["\r\n ", " \r\n\t", "\r\n   "]), 2)


def make_request(rng):
    method = rng.choice(["GET", "POST", "PUT", "DELETE", "PATCH"])
    body = text_of(rng, PATH_TEXT, 60).encode() if method != "GET" else b""
    query = odd_query(rng)
    request = AWSRequest(method, URL + odd_path(rng) + ("?" + query if query else ""), data=body)
    # botocore would else leave out the port of the scheme.
    request.headers["Host"] = HOST
    for name, value in odd_headers(rng):
        if rng.random() < 0.3:
            value = folded(rng, "a " + value + " " + text_of(rng, HEADER_TEXT, 10))
        request.headers[name] = value
    return request


def seen(request, changed):
    """Whether a change reaches what is signed: a segment before `..` does not."""
    def canonical(target):
        copy = AWSRequest(request.method, URL + target, headers=request.headers)
        return SIGNER.canonical_request(copy)
    return canonical(changed[0]) != canonical(changed[1])


def spoilt_parts(rng, request, signed):
    """Every signed part in turn with one byte changed: what, which part, its new value."""
    target, headers, body = signed
    method = request.method
    yield "method", "method", other_byte(rng, method, 0, len(method))
    at = rng.randint(0, len(body))
    yield "longer body", "body", base64_of(body[:at] + b"x" + body[at:])
    if body:
        at = rng.randrange(len(body))
        changed = bytes([body[at] ^ 1 << rng.randrange(8)])
        yield "body", "body", base64_of(body[:at] + changed + body[at + 1:])
    mark = target.find("?") if "?" in target else len(target)
    for what, begin, end in [("path", 1, mark), ("query", mark, len(target))]:
        changed = other_byte(rng, target, begin, end)
        if changed and seen(request, (target, changed)):
            yield what, "target", changed
    for i, (name, value) in enumerate(headers):
        changed = other_byte(rng, value, 0, len(value))
        if changed:
            yield name, i, changed
        yield "no " + name, i, None


def base64_of(data):
    return base64.b64encode(data).decode()


def main(seed, count, key_id, secret):
    now = datetime.datetime(2026, 3, 1, 12, 0, 0)
    botocore.auth.get_current_datetime = lambda *_, **__: now
    credentials = Credentials(key_id, secret)
    global SIGNER
    SIGNER = botocore.auth.SigV4Auth(credentials, "execute-api", REGION)
    rng = random.Random(seed)
    for _ in range(count):
        request = make_request(rng)
        service = rng.choice(["execute-api", "cognito-idp", "cloudformation"])
        signed = sign(rng, request, service, REGION, credentials)
        target, headers, body = signed
        print(json.dumps({"service": service, "method": request.method,
                          "target": target, "headers": headers, "body": base64_of(body),
                          "spoilt": list(spoilt_parts(rng, request, signed))}))


main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
