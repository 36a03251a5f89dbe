"""Sends what botocore signs, whole and spoilt, over one kept-alive connection.

usage: signed_requests.py SEED COUNT
environment: HOLDFAST_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
Prints `passed COUNT`, or what was answered otherwise than expected, and ends with status 1.
"""

import hashlib
import http.client
import json
import os
import random
import string
import sys
import urllib.parse

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

URL = os.environ["HOLDFAST_URL"]
HOST = urllib.parse.urlsplit(URL).netloc
CREDENTIALS = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
REGION = os.environ["AWS_REGION"]

# What may stand in a query as it is, and what has to be encoded there.
QUERY_TEXT = string.ascii_letters + string.digits + "-_.~ !*'()/:;,@$+=&?%#äß€🚀"
HEADER_TEXT = string.ascii_letters + string.digits + " !#$%&'()*+-./:;<=>?@[]^_`{|}~\"\\,"
PATH_TEXT = string.ascii_letters + string.digits + "-_.~ !*'():;,@$+=&äß€🚀"


def text_of(rng, alphabet, longest):
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(0, longest)))


def odd_headers(rng):
    headers = []
    for i in range(rng.randint(0, 5)):
        name = rng.choice(["X-Amz-Meta-%d", "x-amz-odd-%d", "X-Custom-%d", "aCCEPT-Odd-%d"]) % i
        value = text_of(rng, HEADER_TEXT, 40)
        if rng.random() < 0.3:
            value = "  " + value.replace(" ", "    ") + "  "
        headers.append((name, value))
        if rng.random() < 0.2:
            headers.append((name, text_of(rng, HEADER_TEXT, 10)))
    return headers


def odd_query(rng):
    pairs = [(text_of(rng, QUERY_TEXT, 8) or "k", text_of(rng, QUERY_TEXT, 20))
             for _ in range(rng.randint(0, 5))]
    if pairs and rng.random() < 0.3:
        pairs.append((pairs[0][0], text_of(rng, QUERY_TEXT, 5)))
    return "&".join(f"{urllib.parse.quote(k, safe='')}={urllib.parse.quote(v, safe='')}"
                    for k, v in pairs)


def make_request(rng):
    """A request, its service, and the answer that only a good signature comes to."""
    if rng.random() < 0.25:
        # The user pool is served under every path. It looks at the body last.
        target = "/" + urllib.parse.quote("p" + text_of(rng, PATH_TEXT, 12), safe="~/")
        service, body, expected = "cognito-idp", b'{"odd":1}', (400, "InvalidParameterException")
    else:
        target = rng.choice(["/message", "/prod/message"])
        service, expected = "execute-api", (200, "")
        message = text_of(rng, QUERY_TEXT, 200) or "m"
        body = json.dumps({"userId": "odd", "message": message},
                          ensure_ascii=rng.random() < 0.5).encode()
    query = odd_query(rng)
    request = AWSRequest("POST", URL + target + ("?" + query if query else ""), data=body)
    if service == "cognito-idp":
        request.headers["Content-Type"] = "application/x-amz-json-1.1"
        request.headers["X-Amz-Target"] = "AWSCognitoIdentityProviderService.AdminInitiateAuth"
    else:
        request.headers["Content-Type"] = rng.choice(
            ["application/json", "application/json; charset=utf-8", "Application/JSON"])
    for name, value in odd_headers(rng):
        request.headers[name] = value  # adds another field of the same name
    return request, service, expected


class PresignedWithBody(SigV4QueryAuth):
    """botocore's own moves a body into the query; this one leaves it, and signs its hash."""

    def __init__(self, body, *arguments, **options):
        super().__init__(*arguments, **options)
        self.body = body

    def payload(self, request):
        return hashlib.sha256(self.body).hexdigest()


def sign(rng, request, service):
    body = request.data
    if rng.random() < 0.3:
        request.data = b""
        PresignedWithBody(body, CREDENTIALS, service, REGION, expires=60).add_auth(request)
    else:
        SigV4Auth(CREDENTIALS, service, REGION).add_auth(request)
    parts = urllib.parse.urlsplit(request.url)
    target = parts.path + ("?" + parts.query if parts.query else "")
    return [target, list(request.headers.items()), body]


def other_digit(text, at):
    return text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1:]


def spoil(rng, signed):
    """Changes one byte of the body or of the signature."""
    target, headers, body = signed
    if rng.random() < 0.5:
        at = body.index(b"odd")
        return [target, headers, body[:at] + b"0" + body[at + 1:]], "body"
    key = "X-Amz-Signature="
    if key in target:
        return [other_digit(target, target.index(key) + len(key)), headers, body], "query"
    return [target, [(name, other_digit(value, len(value) - 1) if name == "Authorization" else value)
                     for name, value in headers], body], "header"


def send(connection, signed):
    target, headers, body = signed
    connection.putrequest("POST", target, skip_host=True, skip_accept_encoding=True)
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
        signed = sign(rng, request, service)
        spoilt, what = spoil(rng, signed)
        refused = (403 if service == "execute-api" else 400, "InvalidSignatureException")
        for sent, wanted, note in [(signed, expected, "whole"), (spoilt, refused, what)]:
            status, error, text = send(connection, sent)
            if (status, error) != wanted:
                wrong += 1
                print(f"seed {seed} request {i}, {note}: {status} {error} {text}\n  {sent}")
    print(f"failed {wrong}" if wrong else f"passed {count}")
    return 1 if wrong else 0


sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
