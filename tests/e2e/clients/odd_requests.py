"""Random requests of the odder kinds, and botocore's signatures of them."""

import hashlib
import random
import string
import urllib.parse

from botocore.auth import SigV4Auth, SigV4QueryAuth

ENCODED = "-_.~ !*'()/:;,@$+=&?%#[]äß€🚀\x7f\t"
# What may stand in a query, in a header's value and in a path, encoded where it has to be.
QUERY_TEXT = string.ascii_letters + string.digits + ENCODED
HEADER_TEXT = string.ascii_letters + string.digits + " !#$%&'()*+-./:;<=>?@[]^_`{|}~\"\\,"
PATH_TEXT = string.ascii_letters + string.digits + ENCODED.replace("/", "")
ALNUM = string.ascii_letters + string.digits


def text_of(rng, alphabet, longest):
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(0, longest)))


def odd_headers(rng):
    """Names in any case, runs of blanks, several fields of one name."""
    headers = []
    for i in range(rng.randint(0, 5)):
        name = rng.choice(["X-Amz-Meta-%d", "x-amz-odd-%d", "X-Custom-%d", "aCCEPT-Odd-%d"]) % i
        value = text_of(rng, HEADER_TEXT, 40)
        if rng.random() < 0.3:
            value = "  " + value.replace(" ", "    ") + " \t "
        headers.append((name, value))
        if rng.random() < 0.2:
            headers.append((name, text_of(rng, HEADER_TEXT, 10)))
    return headers


def odd_query(rng):
    """Unsorted; names without values, values without names, repeated and empty parameters."""
    pieces = []
    for _ in range(rng.choice([0, 0, 1, 2, 3, 5])):
        name = urllib.parse.quote(text_of(rng, QUERY_TEXT, 8), safe="")
        value = urllib.parse.quote(text_of(rng, QUERY_TEXT, 20), safe="")
        pieces.append(rng.choice([f"{name}={value}"] * 7 + [name, f"{name}=", ""]))
        if rng.random() < 0.2:
            pieces.append(rng.choice([pieces[0], name + "=", name + "=" + value]))
    return "&".join(pieces)


class PresignedWithBody(SigV4QueryAuth):
    """botocore's own moves a body into the query; this one leaves it, and signs its hash."""

    def __init__(self, body, *arguments, **options):
        super().__init__(*arguments, **options)
        self.body = body

    def payload(self, request):
        return hashlib.sha256(self.body).hexdigest()


def sign(rng, request, service, region, credentials):
    """Signs in the headers, or at times in the query: [target, headers, body]."""
    body = request.data
    if rng.random() < 0.3:
        request.data = b""
        PresignedWithBody(body, credentials, service, region, expires=60).add_auth(request)
    else:
        SigV4Auth(credentials, service, region).add_auth(request)
    parts = urllib.parse.urlsplit(request.url)
    target = request.url[len(f"{parts.scheme}://{parts.netloc}"):]
    return [target, list(request.headers.items()), body]


def other_byte(rng, text, begin, end):
    """`text` with one of its letters and digits in that range changed; None where there is none.

    A change to another letter is seen in whatever way the rest is encoded."""
    places = [i for i in range(begin, end) if text[i] in ALNUM]
    if not places:
        return None
    at = rng.choice(places)
    other = rng.choice([c for c in ALNUM if c.lower() != text[at].lower()])
    return text[:at] + other + text[at + 1:]
