"""Calls every service with temporary credentials, as botocore finds them.

usage: session.py
environment: HOLDFAST_URL, HOLDFAST_USER_POOL_ID, AWS_REGION and either the three variables of
temporary credentials or AWS_CONFIG_FILE with a credential_process.
Prints `passed` and the method that found them, or what was answered otherwise than expected, and
ends with status 1.
"""

import http.client
import os
import urllib.parse

import botocore.session
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

URL = os.environ["HOLDFAST_URL"]
REGION = os.environ["AWS_REGION"]
HOST = urllib.parse.urlsplit(URL).netloc
BODY = b'{"userId":"temporary","message":"m"}'
NOBODY = "bm9ib2R5"
SESSION = botocore.session.get_session()
FOUND = SESSION.get_credentials()
GOOD = FOUND.get_frozen_credentials()


def expect(what, got, wanted):
    if got != wanted:
        raise SystemExit(f"{what}: {got}, not {wanted}")


def client(service, credentials=GOOD):
    return SESSION.create_client(
        service, region_name=REGION, endpoint_url=URL, config=Config(retries={"max_attempts": 0}),
        aws_access_key_id=credentials.access_key, aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.token)


def code_of(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "none"


def send(method, path, body, auth):
    request = AWSRequest(method, URL + path, data=body)
    if body:
        request.headers["Content-Type"] = "application/json"
    auth.add_auth(request)
    parts = urllib.parse.urlsplit(request.url)
    connection = http.client.HTTPConnection(HOST, timeout=60)
    connection.request(method, parts.path + ("?" + parts.query if parts.query else ""), body,
                       dict(request.headers.items()))
    answer = connection.getresponse()
    answer.read()
    return answer.status, (answer.getheader("x-amzn-ErrorType") or "")


def by_header(credentials):
    return send("POST", "/message", BODY, SigV4Auth(credentials, "execute-api", REGION))


def presigned(credentials):
    return send("GET", "/@connections/" + NOBODY, b"",
                SigV4QueryAuth(credentials, "execute-api", REGION, expires=60))


def services(credentials):
    return (code_of(client("cognito-idp", credentials).list_users,
                    UserPoolId=os.environ["HOLDFAST_USER_POOL_ID"]),
            code_of(client("cloudformation", credentials).describe_stacks),
            code_of(client("apigatewaymanagementapi", credentials).get_connection,
                    ConnectionId=NOBODY))


def main():
    expect("temporary", GOOD.access_key[:4], "ASIA")
    expect("header", by_header(GOOD), (200, ""))
    expect("presigned", presigned(GOOD), (410, "GoneException"))
    expect("services", services(GOOD), ("none", "none", "GoneException"))
    middle = len(GOOD.token) // 2
    flipped = (GOOD.token[:middle] + ("B" if GOOD.token[middle] == "A" else "A")
               + GOOD.token[middle + 1:])
    unknown = (403, "UnrecognizedClientException")
    for what, token in [("without a token", None), ("changed", flipped), ("garbage", "x" * 100)]:
        wrong = Credentials(GOOD.access_key, GOOD.secret_key, token)
        expect(what + ", header", by_header(wrong), unknown)
        expect(what + ", presigned", presigned(wrong), unknown)
        expect(what + ", services", services(wrong.get_frozen_credentials()),
               ("UnrecognizedClientException", "InvalidClientTokenId",
                "UnrecognizedClientException"))
    other_secret = Credentials(GOOD.access_key, GOOD.secret_key[::-1], GOOD.token)
    expect("secret", by_header(other_secret), (403, "InvalidSignatureException"))
    print("passed", FOUND.method)


main()
