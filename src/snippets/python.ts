import { intervalReason, placesOf, timeoutSeconds } from './facts.js';
import { literal } from './quote.js';
import type { Snippet } from './snippet.js';

export const python: Snippet = {
  tool: 'python',
  title: 'Python 3, with nothing but what comes with it',
  file: 'scrape.py',
  mediaType: 'text/plain',
  text: (facts) => {
    const { tokenUrl, pages } = placesOf(facts);
    return `"""Prints the metrics once: python3 scrape.py. \`scrape\` may be called as often as you like."""
import base64
import json
import ssl
import time
import urllib.parse
import urllib.request

CLIENT_ID = ${literal(facts.clientId)}
SECRET_FILE = ${literal(facts.secretFile)}  # the client secret and nothing else
TOKEN_URL = ${literal(tokenUrl)}
PAGES = [${pages.map(({ url }) => literal(url)).join(', ')}]
INTERVAL = ${facts.intervalSeconds}  # seconds. ${intervalReason(facts)}
TIMEOUT = ${timeoutSeconds(facts)}  # seconds
TRUST = ssl.create_default_context(cafile=${facts.caFile === undefined ? 'None' : literal(facts.caFile)})

_token = ("", 0.0)


def token():
    """The same until a minute before its end: one request for tokens in 14 minutes is enough."""
    global _token
    if _token[1] < time.time():
        with open(SECRET_FILE, encoding="utf-8") as file:
            login = base64.b64encode(f"{CLIENT_ID}:{file.read().strip()}".encode()).decode()
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "scope": "read:metrics"}).encode()
        request = urllib.request.Request(TOKEN_URL, form, {"Authorization": f"Basic {login}"})
        with urllib.request.urlopen(request, timeout=TIMEOUT, context=TRUST) as answer:
            body = json.load(answer)
        _token = (body["access_token"], time.time() + body["expires_in"] - 60)
    return _token[0]


def scrape(page):
    request = urllib.request.Request(page, headers={"Authorization": f"Bearer {token()}"})
    with urllib.request.urlopen(request, timeout=TIMEOUT, context=TRUST) as answer:
        return answer.read().decode("utf-8")


if __name__ == "__main__":
    for page in PAGES:
        print(scrape(page), end="")
`;
  },
};
