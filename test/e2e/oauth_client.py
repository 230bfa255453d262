"""Gets a token with a Python OAuth2 library and scrapes with it, as the library's users do; prints what came as JSON.

Arguments: the library and the way it authenticates, such as "authlib client_secret_post"; the rest on standard input.
"""

import json
import os
import sys

# Both libraries refuse an http token URL unless told so, be it on this machine.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

given = json.load(sys.stdin)
library, way = sys.argv[1:]
client_id, token_url, page_url = given["client_id"], given["token_url"], given["page_url"]


def with_requests_oauthlib():
    import requests_oauthlib
    from oauthlib.oauth2 import BackendApplicationClient

    session = requests_oauthlib.OAuth2Session(client=BackendApplicationClient(client_id=client_id))
    form = {"include_client_id": True} if way == "client_secret_post" else {}
    session.fetch_token(token_url, client_secret=given["client_secret"], **form)
    return requests_oauthlib.__version__, session


def with_authlib():
    import authlib
    from authlib.integrations.requests_client import OAuth2Session
    from authlib.oauth2.rfc7523 import PrivateKeyJWT

    key = given["private_key"] if way == "private_key_jwt" else given["client_secret"]
    session = OAuth2Session(client_id, key, token_endpoint_auth_method=way)
    session.register_client_auth_method(PrivateKeyJWT(token_url))
    session.fetch_token(token_url, grant_type="client_credentials")
    return authlib.__version__, session


try:
    version, session = {"requests-oauthlib": with_requests_oauthlib, "authlib": with_authlib}[library]()
except Exception as error:
    json.dump({"refused": str(error)}, sys.stdout)
    sys.exit()
scrape = session.get(page_url)
told = {"version": version, "token": dict(session.token), "status": scrape.status_code, "page": scrape.text}
json.dump(told, sys.stdout)
