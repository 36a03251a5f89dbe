"""Every message and every close code of docs/asyncapi.yaml, from a running gateway.

usage: websocket_frames.py ASYNCAPI USER_ID ID_TOKEN plain|raw, of the user alice; another's ID token
comes on standard input
environment: HOLDFAST_URL, HOLDFAST_USER_POOL_ID and the AWS variables
Prints `stop the gateway` and waits for that, then `passed`; or what was sent otherwise than
documented, and ends with status 1.
"""

import contextlib
import json
import os
import re
import struct
import sys

import jsonschema
import requests
import yaml
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from http_contract_wire import JSON11, Signer

URL = os.environ["HOLDFAST_URL"]
PATIENCE = 60


def expect(what, got, wanted=True):
    if got != wanted:
        raise SystemExit(f"{what}: {got}, not {wanted}")


class Document:
    def __init__(self, path):
        with open(path) as file:
            self.document = yaml.safe_load(file)
        self.seen = set()
        for name, message in self.document["components"]["messages"].items():
            for example in message.get("examples", []):
                self.validate(message, example["payload"])

    @staticmethod
    def validate(message, payload):
        checker = jsonschema.Draft7Validator.FORMAT_CHECKER
        jsonschema.Draft7Validator(message["payload"], format_checker=checker).validate(payload)

    def check(self, name, frame):
        """A frame of the gateway's or of ours, as text."""
        message = self.document["components"]["messages"][name]
        json_type = message.get("contentType", self.document["defaultContentType"])
        payload = json.loads(frame) if json_type == "application/json" else frame
        self.validate(message, payload)
        self.seen.add(name)
        return payload

    def messages(self):
        return set(self.document["components"]["messages"])

    def fence_length(self):
        return int(re.search(r"a Ping of (\d+) characters",
                             self.document["info"]["description"]).group(1))

    def close_codes(self):
        rows = re.findall(r"^\| ([0-9, ]+) \|", self.document["info"]["description"], re.M)
        return {int(code) for row in rows for code in row.split(",")}


class Connection(ClientConnection):
    """Keeps the Pings that the library answers by itself."""

    def __init__(self, *args, **kwargs):
        self.pings = []
        super().__init__(*args, **kwargs)

    def process_event(self, event):
        if isinstance(event, Frame) and event.opcode is Opcode.PING:
            self.pings.append(event.data.decode())
        super().process_event(event)


class User:
    def __init__(self, user_id, id_token):
        self.user_id = user_id
        self.signer = Signer(id_token)

    def connect(self, subprotocol=None):
        token = requests.get(URL + "/tokens", auth=self.signer, timeout=PATIENCE).json()["token"]
        return connect(URL.replace("http", "ws", 1) + "/ws?token=" + token,
                       subprotocols=subprotocol and [subprotocol], max_size=None,
                       create_connection=Connection)

    def send(self, text):
        answer = requests.post(URL + "/message", json={"userId": self.user_id, "message": text},
                               auth=self.signer, timeout=PATIENCE)
        return answer.json()

    def signed(self, method, path, **parts):
        return requests.request(method, URL + path, auth=self.signer, timeout=PATIENCE, **parts)

    def pool(self, operation):
        target = "AWSCognitoIdentityProviderService." + operation
        body = {"UserPoolId": os.environ["HOLDFAST_USER_POOL_ID"], "Username": "alice"}
        answer = self.signed("POST", "/", data=json.dumps(body),
                             headers={"X-Amz-Target": target, "Content-Type": JSON11})
        expect(operation, answer.status_code, 200)


def masked(first_byte, payload, length=None):
    """A client's frame as the library would not write it; the mask is zero."""
    size = len(payload) if length is None else length
    head = bytes([first_byte])
    head += bytes([0x80 | size]) if size < 126 else b"\xff" + struct.pack(">Q", size)
    return head + b"\0\0\0\0" + payload


def code_of(socket):
    """Reads to the end."""
    try:
        while True:
            socket.recv(timeout=PATIENCE)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def plain(document, user, frame):
    name = "payload" if frame == "plain" else "raw"
    with user.connect() as socket:
        # Whether it is attached by then or not, it comes.
        user.send("caf\u00e9 \u0001 \"quoted\"")
        payload = document.check(name, socket.recv(timeout=PATIENCE))
        text = payload["Payload"] if name == "payload" else payload
        expect("text", text, "caf\u00e9 \u0001 \"quoted\"")
        # What is behind a message is read after it: the next one's comes after the first one's Ping.
        user.send("another")
        socket.recv(timeout=PATIENCE)
        length = document.fence_length()
        expect("fence", re.fullmatch(r"[!-~]+", socket.pings[0]) is not None)
        expect("fence", len(socket.pings[0]), length)


def version_1(document, user):
    held = user.send("held")
    expect("status", held["status"], "STORED")
    with user.connect("holdfast.v1") as socket:
        expect("subprotocol", socket.subprotocol, "holdfast.v1")
        message = document.check("message", socket.recv(timeout=PATIENCE))
        expect("receipt", (message["messageId"], message["sequence"], message["payload"]),
               (held["messageId"], held["sequence"], "held"))
        ack = json.dumps({"type": "ack", "sequence": message["sequence"]})
        document.check("ack", ack)
        socket.send(ack)
        socket.send(document.check("anyText", "who am I?"))
        answer = document.check("forbidden", socket.recv(timeout=PATIENCE))
        path = "/@connections/" + answer["connectionId"]
        expect("post", user.signed("POST", path, data="posted").status_code, 200)
        expect("posted", document.check("posted", socket.recv(timeout=PATIENCE)), "posted")
        expect("delete", user.signed("DELETE", path).status_code, 204)
        codes = {code_of(socket)}
    # It was acknowledged: it does not come again, and what comes first is newer.
    newer = user.send("newer")
    with user.connect("holdfast.v1") as socket:
        first = document.check("message", socket.recv(timeout=PATIENCE))
        expect("after the acknowledgement", first["messageId"], newer["messageId"])
        socket.send(json.dumps({"type": "ack", "sequence": first["sequence"] + 1}))
        codes.add(code_of(socket))
    return codes


def broken_frames(user):
    codes = set()
    for frame in (masked(0x83, b""), masked(0x82, b"binary"), masked(0x81, b"\xff\xfe"),
                  masked(0x81, b"", 1 << 20)):
        with user.connect() as socket:
            socket.socket.sendall(frame)
            codes.add(code_of(socket))
    return codes


def main():
    path, user_id, id_token, frame = sys.argv[1:]
    document = Document(path)
    user = User(user_id, id_token)
    plain(document, user, frame)
    if frame == "raw":
        print("passed")
        return
    codes = version_1(document, user) | broken_frames(user)
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(user.connect("holdfast.v1")) for _ in range(9)]
        codes.add(code_of(sockets[0]))
        user.pool("AdminUserGlobalSignOut")
        codes |= {code_of(socket) for socket in sockets[1:]}
        last = stack.enter_context(User("", sys.stdin.readline().strip()).connect())
        print("stop the gateway", flush=True)
        codes.add(code_of(last))
    expect("close codes", codes, document.close_codes())
    expect("messages", document.seen, document.messages() - {"raw"})
    print("passed")


main()
