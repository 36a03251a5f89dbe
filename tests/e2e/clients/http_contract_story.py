"""Takes every operation of docs/openapi.yaml to a success once, and holds each answer against it."""

import json
import os
import subprocess
import time
import urllib.parse

import requests
import schemathesis
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance, response_headers_conformance, response_schema_conformance,
    status_code_conformance)
from websockets.sync.client import connect

from http_contract_document import CONTROL_SOCKET, OPERATIONS
from http_contract_wire import JSON11, Signer, is_signed

load_all_checks()
CHECKS = [status_code_conformance, content_type_conformance, response_headers_conformance,
          response_schema_conformance]
POOL = {"UserPoolId": os.environ["HOLDFAST_USER_POOL_ID"]}
CLIENT = {"ClientId": os.environ["HOLDFAST_CLIENT_ID"]}
FORM = "application/x-www-form-urlencoded"
# A safe prime's group of 3072 bits has no smaller numbers than this one's length asks for.
SRP_A = "f" * 700


def expect(what, got, wanted=True):
    if got != wanted:
        raise SystemExit(f"{what}: {got}, not {wanted}")


class Story:
    def __init__(self, document, urls, data_dir, code_file):
        self.schema = schemathesis.openapi.from_dict(document)
        self.urls = urls
        self.url = urls[None]
        self.control_url = urls[OPERATIONS]
        self.data_dir = data_dir
        self.code_file = code_file
        self.succeeded = set()
        self.sockets = []
        self.id_token = None
        self.access_token = None
        self.connection_id = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for socket in self.sockets:
            socket.close()

    def environment(self):
        """For the generated requests."""
        return {"CONTRACT_ID_TOKEN": self.id_token, "CONTRACT_ACCESS_TOKEN": self.access_token,
                "CONTRACT_CONNECTION_ID": self.connection_id}

    # ---- calls

    def call(self, method, path, status=200, **parts):
        operation = self.schema[path][method]
        bases = [self.urls[tag] for tag in operation.tags if tag in self.urls]
        case = operation.Case(**parts)
        signer = Signer(self.id_token) if is_signed(operation) else None
        answer = case.call(base_url=bases[0] if bases else self.url, auth=signer,
                           allow_redirects=False)
        label = f"{method} {path}"
        expect(f"{label}: {answer.text}", answer.status_code, status)
        case.validate_response(answer, checks=CHECKS)
        if 200 <= status < 400:
            self.succeeded.add(label)
        return answer

    def pool(self, operation, status=200, **body):
        return self.call("POST", f"/user-pool/{operation}", status, body=body, media_type=JSON11,
                         headers={"X-Amz-Target": f"AWSCognitoIdentityProviderService.{operation}"}
                         ).json()

    def code(self):
        deadline = time.monotonic() + 30
        while not os.path.exists(self.code_file):
            expect("a code came", time.monotonic() < deadline)
            time.sleep(0.01)
        with open(self.code_file) as file:
            code = json.load(file)["code"]
        os.unlink(self.code_file)
        return code

    # ---- the operations

    def play(self):
        self.administration()
        self.logins()
        self.own_account()
        self.sign_up()
        self.keys()
        self.connections()
        self.messages()
        self.aws_calls()
        self.operations()
        self.held_messages()
        self.control_connections()
        self.pool_users()
        self.access_keys()
        self.keeping()

    def administration(self):
        alice = {**POOL, "Username": "alice"}
        self.pool("AdminCreateUser", **alice, TemporaryPassword="first-one",
                  UserAttributes=[{"Name": "email", "Value": "alice@example.com"}])
        refused = self.pool("AdminCreateUser", 400, **alice)
        expect("twice", refused["__type"], "UsernameExistsException")
        flow = {"AuthFlow": "ADMIN_USER_PASSWORD_AUTH",
                "AuthParameters": {"USERNAME": "alice", "PASSWORD": "first-one"}}
        challenge = self.pool("AdminInitiateAuth", **POOL, **CLIENT, **flow)
        self.pool("AdminRespondToAuthChallenge", **POOL, **CLIENT,
                  ChallengeName=challenge["ChallengeName"], Session=challenge["Session"],
                  ChallengeResponses={"USERNAME": "alice", "NEW_PASSWORD": "correct horse"})
        self.pool("AdminUpdateUserAttributes", **alice,
                  UserAttributes=[{"Name": "nickname", "Value": "Al"}])
        self.pool("AdminDeleteUserAttributes", **alice, UserAttributeNames=["nickname"])
        self.pool("AdminGetUser", **alice)
        self.pool("AdminDisableUser", **alice)
        self.pool("AdminEnableUser", **alice)
        self.pool("AdminUserGlobalSignOut", **alice)
        for name in ("bob", "fuzzed", "carol-the-second"):
            self.pool("AdminCreateUser", **POOL, Username=name)
            self.pool("AdminSetUserPassword", **POOL, Username=name, Password="battery staple",
                      Permanent=True)
        self.pool("ListUsers", **POOL, Limit=1)
        self.pool("AdminDeleteUser", **POOL, Username="carol-the-second")
        self.pool("DescribeUserPool", **POOL)
        self.pool("DescribeUserPoolClient", **POOL, **CLIENT)

    def log_in(self, username, password):
        answer = self.pool("InitiateAuth", **CLIENT, AuthFlow="USER_PASSWORD_AUTH",
                           AuthParameters={"USERNAME": username, "PASSWORD": password})
        return answer["AuthenticationResult"]

    def logins(self):
        self.pool("InitiateAuth", **CLIENT, AuthFlow="USER_SRP_AUTH",
                  AuthParameters={"USERNAME": "alice", "SRP_A": SRP_A})
        self.pool("AdminSetUserPassword", **POOL, Username="bob", Password="temporary",
                  Permanent=False)
        challenge = self.pool("InitiateAuth", **CLIENT, AuthFlow="USER_PASSWORD_AUTH",
                              AuthParameters={"USERNAME": "bob", "PASSWORD": "temporary"})
        done = self.pool("RespondToAuthChallenge", **CLIENT,
                         ChallengeName=challenge["ChallengeName"], Session=challenge["Session"],
                         ChallengeResponses={"USERNAME": "bob", "NEW_PASSWORD": "battery staple"})
        token = done["AuthenticationResult"]["RefreshToken"]
        self.pool("InitiateAuth", **CLIENT, AuthFlow="REFRESH_TOKEN_AUTH",
                  AuthParameters={"REFRESH_TOKEN": token})
        self.pool("GetTokensFromRefreshToken", **CLIENT, RefreshToken=token)
        self.pool("RevokeToken", **CLIENT, Token=token)
        refused = self.pool("InitiateAuth", 400, **CLIENT, AuthFlow="USER_PASSWORD_AUTH",
                            AuthParameters={"USERNAME": "bob", "PASSWORD": "wrong"})
        expect("wrong password", refused["__type"], "NotAuthorizedException")

    def own_account(self):
        token = self.log_in("bob", "battery staple")["AccessToken"]
        self.pool("GetUser", AccessToken=token)
        self.pool("UpdateUserAttributes", AccessToken=token,
                  UserAttributes=[{"Name": "nickname", "Value": "Bo"}])
        self.pool("DeleteUserAttributes", AccessToken=token, UserAttributeNames=["nickname"])
        self.pool("UpdateUserAttributes", AccessToken=token,
                  UserAttributes=[{"Name": "email", "Value": "bob@example.com"}])
        self.pool("GetUserAttributeVerificationCode", AccessToken=token, AttributeName="email")
        self.pool("VerifyUserAttribute", AccessToken=token, AttributeName="email", Code=self.code())
        self.pool("ChangePassword", AccessToken=token, PreviousPassword="battery staple",
                  ProposedPassword="staple battery")
        self.pool("GlobalSignOut", AccessToken=token)
        self.pool("DeleteUser", AccessToken=self.log_in("bob", "staple battery")["AccessToken"])

    def sign_up(self):
        carol = {**CLIENT, "Username": "carol"}
        self.pool("SignUp", **carol, Password="correct horse",
                  UserAttributes=[{"Name": "email", "Value": "carol@example.com"}])
        self.code()
        self.pool("ResendConfirmationCode", **carol)
        self.pool("ConfirmSignUp", **carol, ConfirmationCode=self.code())
        self.pool("ForgotPassword", **carol)
        self.pool("ConfirmForgotPassword", **carol, ConfirmationCode=self.code(),
                  Password="battery staple")
        self.pool("SignUp", **CLIENT, Username="dave", Password="correct horse")
        self.code()
        self.pool("AdminConfirmSignUp", **POOL, Username="dave")

    def keys(self):
        pool = {"path_parameters": {"userPoolId": POOL["UserPoolId"]}}
        for document in ("jwks.json", "openid-configuration"):
            path = "/{userPoolId}/.well-known/" + document
            self.call("GET", path, **pool)
            self.preflight(path, "GET", **pool)
        self.preflight("/tokens", "GET")
        self.call("POST", "/tokens", body={"userId": "own"}, media_type="application/json")
        self.preflight("/", "POST")

    def preflight(self, path, method, **parts):
        asked = {"Origin": self.url, "Access-Control-Request-Method": method}
        self.call("OPTIONS", path, 204, headers=asked, **parts)
        self.call("OPTIONS", path, 403, headers={**asked, "Origin": "https://other.example"},
                  **parts)

    def open_websocket(self, path):
        token = self.call("GET", "/tokens").json()["token"]
        url = self.url.replace("http", "ws", 1) + path + "?token=" + urllib.parse.quote(token)
        socket = connect(url, subprotocols=["holdfast.v1"])
        self.sockets.append(socket)
        expect("handshake", socket.response.status_code, 101)
        documented = self.schema[path]["GET"].definition.raw["responses"]["101"]["headers"]
        for name, header in documented.items():
            value = socket.response.headers[name]
            expect(name, value, header["schema"].get("const", value))
        self.succeeded.add("GET " + path)
        return socket

    def connections(self):
        tokens = self.log_in("fuzzed", "battery staple")
        self.id_token = tokens["IdToken"]
        self.access_token = tokens["AccessToken"]
        user = self.pool("GetUser", AccessToken=self.access_token)
        self.user_id = next(one["Value"] for one in user["UserAttributes"] if one["Name"] == "sub")
        for path in ("/ws", "/"):
            socket = self.open_websocket(path)
            # What is no acknowledgement is answered, and the answer tells the connection's id.
            socket.send("who am I?")
            connection = json.loads(socket.recv(timeout=30))["connectionId"]
            where = {"path_parameters": {"connectionId": connection}}
            self.call("GET", "/@connections/{connectionId}", **where)
            self.call("POST", "/@connections/{connectionId}", body="typed", media_type="text/plain",
                      **where)
            expect("posted", socket.recv(timeout=30), "typed")
            if path == "/ws":
                self.call("DELETE", "/@connections/{connectionId}", 204, **where)
                self.call("GET", "/@connections/{connectionId}", 410, **where)
        self.connection_id = connection

    def messages(self):
        for message in ({"userId": self.user_id, "message": "live"},
                        {"userId": "away", "message": "later", "deduplicationId": "job-1",
                         "ttlSeconds": 60}):
            self.call("POST", "/message", body=message, media_type="application/json")
        again = {"userId": "away", "message": "another", "deduplicationId": "job-1"}
        self.call("POST", "/message", 409, body=again, media_type="application/json")
        self.call("POST", "/message", 400, body={"userId": "away"}, media_type="application/json")
        batch = {"messages": [{"userId": "away", "message": "one"}, again]}
        answer = self.call("POST", "/messages", body=batch, media_type="application/json").json()
        expect("outcomes", (len(answer["Successful"]), len(answer["Failed"])), (1, 1))

    def aws_calls(self):
        stack = {"Action": "DescribeStacks", "Version": "2010-05-15"}
        self.call("POST", "/", body=stack, media_type=FORM)
        self.call("POST", "/", 400, body={**stack, "StackName": "other"}, media_type=FORM)
        self.call("POST", "/", body=POOL, media_type=JSON11, headers={
            "X-Amz-Target": "AWSCognitoIdentityProviderService.DescribeUserPool"})
        self.call("GET", "/ws", 426)
        unknown = requests.get(self.url + "/nowhere", timeout=30)
        expect("unknown path", unknown.status_code, 403)
        other = requests.put(self.url + "/message", timeout=30)
        expect("other method", (other.status_code, other.headers["Allow"]), (405, "POST"))

    def operations(self):
        for path in ("/livez", "/readyz", "/metrics", "/console/"):
            self.call("GET", path)
        self.call("GET", "/console", 308)
        page = {"path_parameters": {"file": "index.html"}}
        tag = self.call("GET", "/console/{file}", **page).headers["etag"][0]
        self.call("GET", "/console/{file}", 304, headers={"If-None-Match": tag}, **page)
        link = subprocess.run([os.environ["HOLDFAST_BINARY"], "console", "--json", "--data-dir",
                               self.data_dir], text=True, capture_output=True, check=True).stdout
        session = "/console/api/session"
        own = {"X-Holdfast-Console": "1", "Origin": self.control_url}
        body = {"link": json.loads(link)["url"].split("#link=")[1]}
        signed_in = self.call("POST", session, body=body, media_type="application/json",
                              headers=own)
        self.call("POST", session, 403, body=body, media_type="application/json", headers=own)
        cookie = signed_in.headers["set-cookie"][0].split(";")[0]
        both = {**own, "Cookie": cookie, "X-Holdfast-Session": signed_in.json()["session"]}
        expect("signed in", self.call("GET", session, headers=both).json()["signedIn"])
        self.call("DELETE", session, headers=both)
        expect("signed out", self.call("GET", session, headers=both).json()["signedIn"], False)

    # ---- the control socket

    def control(self, method, path, status=200, body=None, query=None, **names):
        parts = {} if body is None else {"body": body, "media_type": "application/json"}
        return self.call(method, "/v1" + path, status, path_parameters=names, query=query or {},
                         **parts).json()

    def held_messages(self):
        self.control("GET", "/status")
        held = {"userId": "held", "message": "one"}
        messages = [self.control("POST", "/messages", body=held) for _ in range(3)]
        expect("outcome", messages[0]["status"], "STORED")
        self.control("POST", "/messages", 400, body={**held, "ttlSeconds": 0})
        self.control("GET", "/pending", query={"limit": 1})
        pending = self.control("GET", "/pending/{userId}", query={"limit": 1}, userId="held")
        expect("pending", pending["totals"]["messages"], 3)
        self.control("GET", "/pending/{userId}", query={"after": pending["next"]}, userId="held")
        first = messages[0]["messageId"]
        self.control("GET", "/audit", query={"action": "user.", "limit": 5})
        self.control("GET", "/executions", query={"userId": "held"})
        self.control("GET", "/executions/{messageId}", messageId=first)
        deleted = self.control("DELETE", "/pending/{userId}", query={"messageId": first},
                               userId="held")
        expect("left", deleted["left"]["messages"], 2)
        self.control("DELETE", "/pending/{userId}", 404, query={"messageId": first}, userId="held")
        self.control("DELETE", "/pending/{userId}", 400, query={"all": "yes", "messageId": first},
                     userId="held")
        self.control("DELETE", "/pending/{userId}", query={"all": "true"}, userId="held")
        letters = self.control("GET", "/dead-letters", query={"userId": "held", "limit": 2})
        expect("letters", len(letters["deadLetters"]), 2)
        redriven = self.control("POST", "/dead-letters/redrive", body={"messageIds": [first]})
        expect("redriven", redriven["redriven"][0]["messageId"], first)
        gone = self.control("POST", "/dead-letters/delete", body={"userId": "held"})
        expect("deleted", len(gone["deleted"]), 2)

    def control_connections(self):
        self.open_websocket("/ws")
        found = self.control("GET", "/connections", query={"userId": self.user_id})
        newest = found["connections"][-1]["connectionId"]
        self.control("GET", "/connections/{connectionId}", connectionId=newest)
        self.control("DELETE", "/connections/{connectionId}", connectionId=newest)

    def pool_users(self):
        new = {"username": "erin", "password": "correct horse", "permanent": True,
               "attributes": {"email": "erin@example.com"}}
        self.control("POST", "/users", 201, body=new)
        self.control("POST", "/users", 409, body=new)
        self.control("GET", "/users", query={"filter": 'username^="er"', "limit": 1})
        self.control("GET", "/users/{user}", user="erin")
        self.control("PATCH", "/users/{user}", body={"enabled": False}, user="erin")
        self.control("PATCH", "/users/{user}", body={"password": "battery staple"}, user="erin")
        self.control("POST", "/sign-out/{user}", user="erin")
        self.control("DELETE", "/users/{user}", user="erin")
        self.control("GET", "/users/{user}", 404, user="erin")

    def access_keys(self):
        made = self.control("POST", "/access-keys", 201,
                            body={"name": "reports", "requestsPerSecond": 5})
        key = {"keyId": made["id"]}
        self.control("GET", "/access-keys")
        self.control("GET", "/access-keys/{keyId}", **key)
        self.control("POST", "/sessions", 201, body={"accessKeyId": made["id"]})
        self.control("PATCH", "/access-keys/{keyId}", body={"requestsPerSecond": None}, **key)
        self.control("DELETE", "/access-keys/{keyId}", **key)
        self.control("GET", "/access-keys/{keyId}", 404, **key)

    def keeping(self):
        self.control("POST", "/keys/rotate")
        self.control("POST", "/backup", 202)
        self.control("GET", "/backup")
        self.control("DELETE", "/backup")
        self.control("POST", "/console-links", 201)
