"""Signs with botocore as a key whose policy names one user, and reaches that user alone.

usage: user_policy.py OWN_USER OWN_CONNECTION OTHER_USER OTHER_CONNECTION
environment: HOLDFAST_URL, AWS_REGION and the key in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
Prints `passed`, or what was answered otherwise than expected, and ends with status 1.
"""

import http.client
import json
import os
import sys
import urllib.parse

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError

URL = os.environ["HOLDFAST_URL"]
REGION = os.environ["AWS_REGION"]
SESSION = botocore.session.get_session()


def expect(what, got, wanted):
    if got != wanted:
        raise SystemExit(f"{what}: {got}, not {wanted}")


def post(path, body):
    request = AWSRequest("POST", URL + path, data=json.dumps(body).encode())
    request.headers["Content-Type"] = "application/json"
    SigV4Auth(SESSION.get_credentials(), "execute-api", REGION).add_auth(request)
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(URL).netloc, timeout=60)
    connection.request("POST", path, request.data, dict(request.headers.items()))
    answer = connection.getresponse()
    text = json.loads(answer.read())
    return answer.status, text.get("Message", "").partition(" for ")[2]


def send(own, other):
    expect("message", post("/message", {"userId": own, "message": "alone"}), (200, ""))
    expect("other", post("/message", {"userId": other, "message": "m"}), (403, "userId"))
    mine = {"userId": own, "message": "in a batch"}
    expect("batch", post("/messages", {"messages": [mine, mine]}), (200, ""))
    expect("mixed", post("/messages", {"messages": [mine, {"userId": other, "message": "m"}]}),
           (403, "messages[1].userId"))


def manage(own, other):
    gateway = SESSION.create_client("apigatewaymanagementapi", endpoint_url=URL,
                                    config=Config(retries={"max_attempts": 0}))
    gateway.get_connection(ConnectionId=own)
    gateway.post_to_connection(ConnectionId=own, Data=b"posted")
    for call in (gateway.get_connection, gateway.delete_connection):
        try:
            call(ConnectionId=other)
            raise SystemExit("the other user's connection")
        except ClientError as error:
            expect("connection", error.response["Error"]["Code"], "AccessDeniedException")


send(sys.argv[1], sys.argv[3])
manage(sys.argv[2], sys.argv[4])
print("passed")
