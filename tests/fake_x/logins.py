"""The logins of the fake X: signatures of OAuth 1.0a, its flow with a PIN, and the tokens of OAuth 2.0."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote

if TYPE_CHECKING:
    from tests.fake_x.faults import Fault
    from tests.fake_x.server import FakeX


class LoginHandler(BaseHTTPRequestHandler):
    """The part of the handler that knows who asks."""

    x: FakeX
    user: str
    body: str
    query: dict[str, str]
    parts: SplitResult

    def _send(self, status: int, body: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        raise NotImplementedError

    def _json(self, status: int, data: dict[str, Any], headers: tuple[tuple[str, str], ...] = ()) -> None:
        raise NotImplementedError

    def _misbehave(self, fault: Fault) -> None:
        raise NotImplementedError

    def _authenticate(self) -> tuple[int, str] | None:
        header = self.headers.get("Authorization") or ""
        unauthorized = (
            401,
            json.dumps(
                {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}
            ),
        )
        if header.startswith("Bearer "):
            self.user = self.x.credentials.user_id
            return None if self.x.oauth2.access_tokens.get(header[7:], 0) > self.x.now() else unauthorized
        if not header.startswith("OAuth "):
            return unauthorized
        oauth = {
            k.strip(): unquote(v.strip('"'))
            for k, _, v in (part.strip().partition("=") for part in header[6:].split(","))
        }
        if abs(float(oauth.get("oauth_timestamp", 0)) - self.x.now()) > 300:
            return 401, json.dumps({"errors": [{"code": 135, "message": "Timestamp out of bounds."}]})
        account = self.x.accounts.get(oauth.get("oauth_token", ""))
        if (
            account is None
            or oauth.get("oauth_consumer_key") != account.api_key
            or not self.x.check_nonce(oauth.get("oauth_nonce", ""))
        ):
            return unauthorized
        if not hmac.compare_digest(
            oauth.get("oauth_signature", ""),
            self._signature(oauth, account.api_secret, account.access_token_secret),
        ):
            return unauthorized
        self.user = account.user_id
        return None

    def _signature(self, oauth: dict[str, str], secret: str, token_secret: str) -> str:
        """HMAC-SHA1 over method, address and parameters, RFC 5849 section 3.4."""
        form = (
            parse_qsl(self.body, keep_blank_values=True)
            if "urlencoded" in (self.headers.get("Content-Type") or "")
            else []
        )
        pairs = [
            *self.query.items(),
            *form,
            *((k, v) for k, v in oauth.items() if k not in {"oauth_signature", "realm"}),
        ]

        def escape(text: str) -> str:
            return quote(text, safe="~")

        normal = "&".join(f"{k}={v}" for k, v in sorted((escape(k), escape(v)) for k, v in pairs))
        base = "&".join(
            map(escape, (self.command, f"http://{self.headers['Host']}{self.parts.path}", normal))
        )
        key = f"{escape(secret)}&{escape(token_secret)}".encode()
        return base64.b64encode(hmac.new(key, base.encode(), hashlib.sha1).digest()).decode()

    def _oauth1_flow(self, path: str) -> None:
        c = self.x.credentials
        plain = (("Content-Type", "application/x-www-form-urlencoded"),)
        header = self.headers.get("Authorization") or ""
        oauth = {
            k.strip(): unquote(v.strip('"'))
            for k, _, v in (part.strip().partition("=") for part in header[6:].split(","))
        }
        if path == "/oauth/authorize":
            return self._send(200, f"PIN {self.x.pin}", (("Content-Type", "text/plain"),))
        if oauth.get("oauth_consumer_key") != c.api_key:
            return self._send(401, '{"errors":[{"code":32,"message":"Could not authenticate you."}]}')
        token_secret = "" if path == "/oauth/request_token" else "requestSecret"
        if not hmac.compare_digest(
            oauth.get("oauth_signature", ""), self._signature(oauth, c.api_secret, token_secret)
        ):
            return self._send(401, '{"errors":[{"code":32,"message":"Could not authenticate you."}]}')
        fault = self.x.next_fault("TOKEN")
        if fault.kind != "ok":
            return self._misbehave(fault)
        if path == "/oauth/request_token":
            return self._send(
                200,
                "oauth_token=requestToken&oauth_token_secret=requestSecret&oauth_callback_confirmed=true",
                plain,
            )
        form = dict(parse_qsl(self.body))
        if (
            oauth.get("oauth_verifier") or form.get("oauth_verifier") or self.query.get("oauth_verifier")
        ) != self.x.pin:
            return self._send(401, '{"errors":[{"code":89,"message":"Invalid or expired token."}]}')
        return self._send(
            200,
            f"oauth_token={quote(c.access_token)}&oauth_token_secret={c.access_token_secret}&user_id={c.user_id}&screen_name=fake",
            plain,
        )

    def _authorize2(self) -> None:
        state = self.x.oauth2
        if state.codes_denied:
            return self._send(
                302,
                "",
                (
                    (
                        "Location",
                        f"{self.query.get('redirect_uri', '')}?error=access_denied&state={quote(self.query.get('state', ''))}",
                    ),
                ),
            )
        code = f"code-{len(state.codes)}"
        state.codes[code] = self.query
        where = f"{self.query.get('redirect_uri', '')}?code={code}&state={quote(self.query.get('state', ''))}"
        return self._send(302, "", (("Location", where),))

    def _token(self) -> None:
        state, form = self.x.oauth2, dict(parse_qsl(self.body))
        state.token_requests += 1
        fault = self.x.next_fault("TOKEN")
        if fault.kind != "ok" and not fault.accept:
            return self._misbehave(fault)
        basic = base64.b64encode(f"{state.client_id}:{state.client_secret}".encode()).decode()
        if (
            self.headers.get("Authorization", f"Basic {basic}") != f"Basic {basic}"
            or form.get("client_id") != state.client_id
        ):
            return self._json(
                401,
                {"error": "unauthorized_client", "error_description": "Missing valid authorization header"},
            )
        if form.get("grant_type") == "refresh_token":
            if form.get("refresh_token") in state.used:
                state.revoked = True  # a second use is taken for theft: the whole family ends
                state.access_tokens.clear()
            if state.revoked or form.get("refresh_token") != state.refresh_token:
                return self._json(
                    400,
                    {
                        "error": "invalid_request",
                        "error_description": "Value passed for the token was invalid.",
                    },
                )
            state.used.add(state.refresh_token)
        elif form.get("grant_type") == "authorization_code":
            asked = state.codes.pop(form.get("code", ""), None)
            digest = (
                base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
                .rstrip(b"=")
                .decode()
            )
            if (
                asked is None
                or asked.get("code_challenge") != digest
                or asked.get("redirect_uri") != form.get("redirect_uri")
            ):
                return self._json(
                    400,
                    {
                        "error": "invalid_request",
                        "error_description": "Value passed for the code was invalid.",
                    },
                )
        else:
            return self._json(400, {"error": "unsupported_grant_type", "error_description": "unknown grant"})
        state.number += 1
        state.refresh_token = f"refresh-{state.number}"
        token = f"access-{state.number}"
        state.access_tokens[token] = self.x.now() + state.life
        if fault.kind != "ok":
            return self._misbehave(fault)
        return self._json(
            200,
            {
                "token_type": "bearer",
                "expires_in": int(state.life),
                "access_token": token,
                "scope": "tweet.read users.read tweet.write offline.access",
                "refresh_token": state.refresh_token,
            },
        )
