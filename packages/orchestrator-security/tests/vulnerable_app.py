"""A service with one flaw at a time, each beside its fixed twin: `make_app("sql-error")` has that flaw and no other, `make_app("")` none."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import sqlite3
import subprocess
import time
import traceback
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_security.headers_middleware import CorsMiddleware, CorsPolicy, HeadersMiddleware
from orchestrator_security.input_validation import AllowedFolder, InputLimits, RequestLimits, UrlPolicy

KEY = rsa.generate_private_key(65537, 2048)
PUBLIC = KEY.public_key()
PEM = PUBLIC.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
HOOK_SECRET = b"hook-secret-of-the-test"
WEAK = b"changeme"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def token(name: str, *, role: str = "user", kind: str = "access", seconds: float = 3600, weak: bool = False) -> str:
    header = {"alg": "HS256" if weak else "RS256", "kid": "main"}
    claims = {"sub": name, "role": role, "kind": kind, "exp": time.time() + seconds}
    text = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    if weak:
        return f"{text}.{b64(hmac.new(WEAK, text.encode(), hashlib.sha256).digest())}"
    return f"{text}.{b64(KEY.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


class Refused(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Service:
    def __init__(self, flaw: str) -> None:
        self.flaw = flaw
        self.notes: dict[str, dict[str, Any]] = {
            "n1": {"id": "n1", "text": "of alice", "owner": "alice"},
            "n2": {"id": "n2", "text": "of bob", "owner": "bob"},
        }
        self.wrong = 0
        self.hooks: set[str] = set()
        self.folder = Path(__file__).parent

    # Who asks

    def _signed(self, header: dict[str, Any], text: bytes, signature: bytes) -> bool:
        flaw, alg = self.flaw, str(header.get("alg", ""))
        if flaw == "jwt-signature" or (flaw == "jwt-none" and alg.lower() in {"none", ""}):
            return True
        if flaw == "jwt-confusion" and alg == "HS256":
            return hmac.compare_digest(hmac.new(PEM, text, hashlib.sha256).digest(), signature)
        if flaw == "jwt-weak-secret" and alg == "HS256":
            return hmac.compare_digest(hmac.new(WEAK, text, hashlib.sha256).digest(), signature)
        if flaw == "jwt-kid" and alg == "HS256":
            key = (self.folder / "keys" / str(header.get("kid"))).resolve().read_bytes()
            return hmac.compare_digest(hmac.new(key, text, hashlib.sha256).digest(), signature)
        if flaw == "jwt-jku" and "jku" in header:
            urllib.request.urlopen(header["jku"], timeout=2).read()
        public = PUBLIC
        if flaw == "jwt-own-key" and header.get("jwk", {}).get("kty") == "RSA":
            jwk = header["jwk"]
            numbers = rsa.RSAPublicNumbers(
                int.from_bytes(unb64(jwk["e"]), "big"), int.from_bytes(unb64(jwk["n"]), "big")
            )
            public = numbers.public_key()
        if alg != "RS256":
            return False
        public.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
        return True

    def claims(self, authorization: str) -> dict[str, Any]:
        kind, _, value = authorization.partition(" ")
        try:
            head, body, signature = value.split(".")
            if kind != "Bearer" or not self._signed(
                json.loads(unb64(head)), f"{head}.{body}".encode(), unb64(signature)
            ):
                raise Refused(401)
            claims = json.loads(unb64(body))
        except (ValueError, TypeError, AttributeError, OSError, InvalidSignature):
            raise Refused(401) from None
        if claims["exp"] < time.time() and self.flaw != "jwt-expiry":
            raise Refused(401)
        if claims["kind"] != "access" and self.flaw != "jwt-type":
            raise Refused(401)
        return claims

    def user(self, request: Request) -> dict[str, Any]:
        return self.claims(request.headers.get("authorization", ""))

    # What it does

    def me(self, request: Request) -> Response:
        if self.flaw == "missing-authentication" and "authorization" not in request.headers:
            return JSONResponse({"id": "nobody"})
        body = {"id": self.user(request)["sub"]}
        if self.flaw == "data-exposure":
            body["password_hash"] = "$2b$12$abc"
        return JSONResponse(body)

    def list_notes(self, request: Request) -> Response:
        name = self.user(request)["sub"]
        return JSONResponse([note for note in self.notes.values() if note["owner"] == name])

    def note(self, request: Request) -> Response:
        name = self.user(request)["sub"]
        note = self.notes.get(request.path_params["note_id"])
        if note is None or (note["owner"] != name and self.flaw != "object-authorization"):
            raise Refused(404)
        return JSONResponse(note)

    async def add_note(self, request: Request) -> Response:
        name = self.user(request)["sub"]
        raw = await request.body()
        if self.flaw == "unhandled-errors":
            body = json.loads(raw)
        else:
            try:
                body = json.loads(raw)
            except (ValueError, RecursionError):
                if self.flaw == "verbose-errors":
                    return PlainTextResponse(traceback.format_exc(), status_code=400)
                raise Refused(400) from None
        if not isinstance(body, dict) or not isinstance(body.get("text"), str):
            raise Refused(422)
        if self.flaw != "mass-assignment" and set(body) != {"text"}:
            raise Refused(422)
        note = {"id": f"m{len(self.notes)}", "owner": name, **body}
        self.notes[note["id"]] = note
        return JSONResponse(note, status_code=201)

    def users(self, request: Request) -> Response:
        if self.user(request)["role"] != "admin" and self.flaw != "function-authorization":
            raise Refused(403)
        return JSONResponse([{"name": "alice"}, {"name": "bob"}])

    def search(self, request: Request) -> Response:
        self.user(request)
        text = request.query_params.get("q", "")
        database = sqlite3.connect(":memory:")
        database.execute("CREATE TABLE notes (text TEXT)")
        database.execute("INSERT INTO notes VALUES ('hello')")
        try:
            if self.flaw in {"sql-error", "sql-time"}:
                rows = database.execute(f"SELECT text FROM notes WHERE text = '{text}'").fetchall()
            else:
                rows = database.execute("SELECT text FROM notes WHERE text = ?", [text]).fetchall()
        except sqlite3.Error as error:
            told = f"sqlite3.{type(error).__name__}: {error}" if self.flaw == "sql-error" else ""
            return JSONResponse({"error": told}, status_code=400)
        finally:
            database.close()
        return JSONResponse(rows)

    async def lookup(self, request: Request) -> Response:
        self.user(request)
        body = json.loads(await request.body())
        name = body.get("name") if isinstance(body, dict) else None
        if self.flaw == "nosql" and isinstance(name, dict):
            return JSONResponse({"name": "alice"})
        if not isinstance(name, str):
            raise Refused(422)
        if name != "alice":
            raise Refused(404)
        return JSONResponse({"name": "alice"})

    def greet(self, request: Request) -> Response:
        self.user(request)
        name = request.query_params.get("name", "")
        if self.flaw == "template":
            name = re.sub(r"\{\{([0-9*+]+)\}\}", lambda found: str(eval(found[1])), name)
        return PlainTextResponse(f"Hello {name}")

    def file(self, request: Request) -> Response:
        self.user(request)
        name = request.query_params.get("name", "")
        try:
            if self.flaw == "path-traversal":
                return PlainTextResponse((self.folder / name).read_bytes())
            with AllowedFolder(self.folder) as folder:
                return PlainTextResponse(folder.read(name, limit=1_000_000))
        except (OSError, ValueError, OrchestratorError):
            raise Refused(404) from None

    def ping(self, request: Request) -> Response:
        self.user(request)
        host = request.query_params.get("host", "")
        if self.flaw == "command":
            return PlainTextResponse(
                subprocess.run(f"echo {host}", shell=True, capture_output=True, check=False).stdout
            )
        if not re.fullmatch(r"[a-z0-9.-]{1,100}", host):
            raise Refused(400)
        return PlainTextResponse(host)

    def fetch(self, request: Request) -> Response:
        self.user(request)
        url = request.query_params.get("url", "")
        try:
            if self.flaw == "ssrf":
                return PlainTextResponse(urllib.request.urlopen(url, timeout=2).read())
            UrlPolicy().check(url)
        except (OSError, ValueError, OrchestratorError):
            raise Refused(400) from None
        return PlainTextResponse("fetched")

    def go(self, request: Request) -> Response:
        self.user(request)
        place = request.query_params.get("next", "")
        if self.flaw != "open-redirect" and not re.fullmatch(r"/(?![/\\])[\w/]*", place):
            raise Refused(400)
        return RedirectResponse(place)

    def validate(self, request: Request) -> Response:
        self.user(request)
        text = request.query_params.get("text", "")
        if self.flaw == "redos":
            # Each tries every space as the first: quadratic.
            ends = any(re.search(pattern, text) for pattern in (r"(?:\s|\t)+$", r"\s+$", r"[ \t]+$"))
        else:
            ends = text != text.rstrip()
        return JSONResponse({"valid": not ends})

    async def login(self, request: Request) -> Response:
        body = json.loads(await request.body())
        if not isinstance(body, dict) or not all(isinstance(body.get(name), str) for name in ("user", "password")):
            raise Refused(422)
        self.wrong += 1
        if self.wrong > 20 and self.flaw != "rate-limit":
            raise Refused(429)
        raise Refused(401)

    async def hook(self, request: Request) -> Response:
        raw = await request.body()
        wanted = hmac.new(HOOK_SECRET, raw, hashlib.sha256).hexdigest()
        if self.flaw != "webhook-signature" and not hmac.compare_digest(wanted, request.headers.get("x-signature", "")):
            raise Refused(401)
        event = json.loads(raw)
        known = event["id"] in self.hooks and self.flaw != "webhook-replay"
        self.hooks.add(event["id"])
        return JSONResponse({"status": "processed", "duplicate": known})

    async def stream(self, socket: WebSocket) -> None:
        if self.flaw != "websocket-authentication":
            try:
                self.claims(socket.headers.get("authorization", ""))
            except Refused:
                await socket.close(1008)
                return
        await socket.accept()
        await socket.receive()

    def jwks(self, request: Request) -> Response:
        numbers = PUBLIC.public_numbers()
        return JSONResponse(
            {"keys": [{"kty": "RSA", "kid": "main", "n": b64(numbers.n.to_bytes(256, "big")), "e": "AQAB"}]}
        )

    def docs(self, request: Request) -> Response:
        if self.flaw != "open-docs":
            raise Refused(404)
        return PlainTextResponse("<title>Swagger UI</title>")


def make_app(flaw: str) -> Any:
    service = Service(flaw)

    def refuse(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return JSONResponse({"error": error.status}, status_code=error.status)

    routes: list[tuple[str, str, Callable[..., Any]]] = [
        ("/me", "GET", service.me), ("/notes", "GET", service.list_notes), ("/notes", "POST", service.add_note),
        ("/notes/{note_id}", "GET", service.note), ("/admin/users", "GET", service.users), ("/search", "GET", service.search),
        ("/lookup", "POST", service.lookup), ("/greet", "GET", service.greet), ("/files", "GET", service.file), ("/ping", "GET", service.ping),
        ("/fetch", "GET", service.fetch), ("/go", "GET", service.go), ("/validate", "GET", service.validate), ("/login", "POST", service.login),
        ("/hook", "POST", service.hook), ("/.well-known/jwks.json", "GET", service.jwks), ("/docs", "GET", service.docs),
    ]  # fmt: skip
    app: Any = Starlette(
        routes=[
            *(Route(path, endpoint, methods=[method]) for path, method, endpoint in routes),
            WebSocketRoute("/stream", service.stream),
        ],
        exception_handlers={Refused: refuse},
    )
    if flaw not in {"unhandled-errors", "verbose-errors", "body-limit"}:
        app = InputLimits(app, limits=RequestLimits(body=100_000))
    if flaw == "cors":
        app = Reflecting(app)
    else:
        app = CorsMiddleware(app, policy=CorsPolicy(origins=frozenset({"https://console.example"})))
    return app if flaw == "security-headers" else HeadersMiddleware(app)


class Reflecting:
    """Lets every origin read."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def reflect(message: Any) -> None:
            origin = dict(scope["headers"]).get(b"origin")
            if message["type"] == "http.response.start" and origin:
                message["headers"] += [
                    (b"access-control-allow-origin", origin),
                    (b"access-control-allow-credentials", b"true"),
                ]
            await send(message)

        await self.app(scope, receive, reflect)


def _query(name: str, example: str = "probe", **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": True, "schema": {"type": "string", **schema}, "example": example}


def _operation(
    *parameters: dict[str, Any], body: dict[str, Any] | None = None, open_to_all: bool = False
) -> dict[str, Any]:
    operation: dict[str, Any] = {"parameters": list(parameters)}
    if body is not None:
        schema = {"type": "object", "properties": body, "required": list(body)}
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    if open_to_all:
        operation["security"] = []
    return operation


TEXT = {"type": "string"}
OPENAPI: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "vulnerable", "version": "1"},
    "security": [{"bearer": []}],
    "paths": {
        "/me": {"get": _operation()},
        "/notes": {"get": _operation(), "post": _operation(body={"text": TEXT})},
        "/notes/{note_id}": {"get": _operation()},
        "/admin/users": {"get": _operation()},
        "/search": {"get": _operation(_query("q"))},
        "/lookup": {"post": _operation(body={"name": {"type": "string", "example": "alice"}})},
        "/greet": {"get": _operation(_query("name"))},
        "/files": {"get": _operation(_query("name", "conftest.py"))},
        "/ping": {"get": _operation(_query("host"))},
        "/fetch": {"get": _operation(_query("url", "https://example.org/", format="uri"))},
        "/go": {"get": _operation(_query("next", "/home"))},
        "/validate": {"get": _operation(_query("text"))},
        "/login": {"post": _operation(body={"user": TEXT, "password": TEXT}, open_to_all=True)},
    },
}
