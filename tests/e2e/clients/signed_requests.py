"""Sends what botocore signs, whole and spoilt, over one kept-alive connection.

usage: signed_requests.py SEED COUNT
environment: HOLDFAST_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
Messages go to a user `odd`. Prints `passed COUNT`, or what was answered otherwise than expected, and ends with status 1.
"""

import http.client
import json
import os
import random
import sys
import urllib.parse

from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from odd_requests import (PATH_TEXT, QUERY_TEXT, odd_headers, odd_query, other_byte, sign, text_of)

URL = os.environ["HOLDFAST_URL"]
HOST = urllib.parse.urlsplit(URL).netloc
CREDENTIALS = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
REGION = os.environ["AWS_REGION"]
# Connection ids that a client may have kept from elsewhere are visible ASCII.
ID_TEXT = "".join(c for c in PATH_TEXT + "/" if " " < c < "\x7f")


def make_request(rng):
    """A request, its service, and the answer that only a good signature comes to."""
    method, content_type, amz_target = "POST", None, None
    kind = rng.random()
    if kind < 0.25:
        # The user pool is served under every path. It looks at the body last.
        path = "/" + urllib.parse.quote("p" + text_of(rng, PATH_TEXT, 12), safe="~/")
        service, body, expected = "cognito-idp", b'{"odd":1}', (400, "InvalidParameterException")
        content_type = "application/x-amz-json-1.1"
        amz_target = "AWSCognitoIdentityProviderService.AdminInitiateAuth"
    elif kind < 0.5:
        method = rng.choice(["POST", "GET", "DELETE"])
        nobody = "n" + text_of(rng, ID_TEXT, 12)
        path = rng.choice(["", "/prod"]) + "/@connections/" + urllib.parse.quote(nobody, safe="")
        service, expected = "execute-api", (410, "GoneException")
        body = b"odd" if method == "POST" else b""
    else:
        path = rng.choice(["/message", "/prod/message"])
        service, expected = "execute-api", (200, "")
        message = text_of(rng, QUERY_TEXT, 200) or "m"
        body = json.dumps({"userId": "odd", "message": message},
                          ensure_ascii=rng.random() < 0.5).encode()
        content_type = rng.choice(
            ["application/json", "application/json; charset=utf-8", "Application/JSON"])
    query = odd_query(rng)
    request = AWSRequest(method, URL + path + ("?" + query if query else ""), data=body)
    for name, value in [("Content-Type", content_type), ("X-Amz-Target", amz_target)]:
        if value:
            request.headers[name] = value
    for name, value in odd_headers(rng):
        request.headers[name] = value  # adds another field of the same name
    return request, service, expected


def spoil(rng, signed):
    """Changes one byte: of the body, the query, a signed header or the signature."""
    target, headers, body = signed
    spoilt = []
    if body:
        at = body.index(b"odd")
        spoilt.append(("body", [target, headers, body[:at] + b"0" + body[at + 1:]]))
    mark = target.find("?")
    key = target.find("X-Amz-Signature=")
    if key >= 0:
        begin = key + len("X-Amz-Signature=")
        spoilt.append(
            ("signature", [other_byte(rng, target, begin, len(target)), headers, body]))
    if mark >= 0:
        # What SigV4's own parameters say is not looked at as a signature alone.
        end = target.find("X-Amz-Algorithm=")
        changed = other_byte(rng, target, mark, len(target) if end < 0 else end)
        if changed:
            spoilt.append(("query", [changed, headers, body]))
    for i, (name, value) in enumerate(headers):
        if name == "Authorization":
            begin = value.index("Signature=") + len("Signature=")
        elif name.lower().startswith(("x-custom", "accept-odd", "x-amz-meta", "x-amz-odd")):
            begin = 0
        else:
            continue
        changed = other_byte(rng, value, begin, len(value))
        if changed:
            spoilt.append((name, [target, [*headers[:i], (name, changed), *headers[i + 1:]], body]))
    what, request = rng.choice(spoilt)
    return request, what


def send(connection, method, signed):
    target, headers, body = signed
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in [("Host", HOST), *headers, ("Content-Length", str(len(body)))]:
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    text = answer.read().decode()
    # The user pool ends the name with a colon, as Cognito does.
    error = (answer.getheader("x-amzn-ErrorType") or "").rstrip(":")
    return answer.status, error, text


def main(seed, count):
    rng = random.Random(seed)
    connection = http.client.HTTPConnection(HOST, timeout=60)
    wrong = 0
    for i in range(count):
        request, service, expected = make_request(rng)
        signed = sign(rng, request, service, REGION, CREDENTIALS)
        spoilt, what = spoil(rng, signed)
        refused = (403 if service == "execute-api" else 400, "InvalidSignatureException")
        for sent, wanted, note in [(signed, expected, "whole"), (spoilt, refused, what)]:
            status, error, text = send(connection, request.method, sent)
            if (status, error) != wanted:
                wrong += 1
                print(f"seed {seed} request {i}, {note}: {status} {error} {text}\n  {sent}")
    print(f"failed {wrong}" if wrong else f"passed {count}")
    return 1 if wrong else 0


sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
