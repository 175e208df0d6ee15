"""Run a program against the application, which is started for it on a free loopback port and ended after it.

    python -m scripts.running_app [--unlimited] [--production] schemathesis run {url}/openapi.json -H "Authorization: Bearer {token}"

In the program's arguments, and in the file that `--template FILE OUT` fills, `{url}`, `{token}` (the operator's), `{key}` (the static key of media
agents), `{call}` and `{tenant}` (a call that exists), and the tokens of `scripts.app_people` are replaced: `{admin}`, `{zoe}` and `{bob}` (administrators of the
tenants default and garden), `{staff}`, `{refresh}`, `{expired}`, `{service}` (an API key); `{openapi}` and `{webhook}` are files. The exit code is the program's.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from scripts.app_people import make_people

START_SECONDS = 60.0
STOP_SECONDS = 20.0
CALL = "call-to-look-at"
# Whoever looks for mistakes asks fast; the limits have tests of their own.
LIMITS = {
    f"ORCHESTRATOR_RESILIENCE__RATE_LIMITS__{name}": "1000000/minute"
    for name in ("ANONYMOUS", "SIGN_IN", "PASSWORDS", "AUTHENTICATED", "CALLS", "WEBHOOKS", "TWILIO", "EVENTS", "MEDIA")
}
FLAGS = {"--unlimited": LIMITS, "--production": {"ORCHESTRATOR_ENVIRONMENT": "production"}}


@contextmanager
def running(folder: Path, variables: Mapping[str, str] | None = None) -> Generator[dict[str, str], None, None]:
    """The application with its data in `folder`; gives what the placeholders stand for."""
    token, key, agent = (secrets.token_urlsafe(32) for _ in range(3))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
    environment |= {
        "ORCHESTRATOR_SECURITY__ACCESS_TOKEN": token,
        "ORCHESTRATOR_AGENTS__BEARER_KEY": key,
        "ORCHESTRATOR_AGENTS__SECRETS__FIRST": agent,
        "ORCHESTRATOR_SECURITY__ROOT_KEY": secrets.token_urlsafe(32),
        "ORCHESTRATOR_LOG__FORMAT": "json",
        # Whoever looks for mistakes looks longer than an access token usually lasts.
        "ORCHESTRATOR_AUTH__ACCESS_MINUTES": "240",
        "ORCHESTRATOR_TENANTS__DEFAULT__NAME": "The Default House",
        "ORCHESTRATOR_TENANTS__GARDEN__NAME": "The Garden",
        **(variables or {}),
    }
    serve = ("serve", "--host", "127.0.0.1", "--port", "0", "--json", "--data", str(folder / "data"))
    with (folder / "app.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator_app", *serve],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise SystemExit(f"the application did not start:\n{(folder / 'app.log').read_text()[-2000:]}")
            places = {"url": json.loads(line)["url"], "token": token, "key": key, "call": CALL, "tenant": "default"}
            places |= make_people(environment, folder / "data")
            _begin_a_call(places)
            places["webhook"] = str(_signed_event(folder, agent))
            places["openapi"] = str(_document(folder, places))
            yield places
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _begin_a_call(places: Mapping[str, str]) -> None:
    event = {"type": "call_started", "call_id": places["call"], "tenant_id": places["tenant"], "event_id": "first"}
    request = urllib.request.Request(
        f"{places['url']}/call/event",
        data=json.dumps({**event, "sequence": 1, "data": {"caller": "+4930901820"}}).encode(),
        headers={"content-type": "application/json", "authorization": f"Bearer {places['key']}"},
    )
    with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:
        answer.read()


def _document(folder: Path, places: Mapping[str, str]) -> Path:
    request = urllib.request.Request(
        f"{places['url']}/openapi.json", headers={"authorization": f"Bearer {places['token']}"}
    )
    file = folder / "openapi.json"
    with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:
        file.write_bytes(answer.read())
    return file


def _signed_event(folder: Path, agent: str) -> Path:
    from pydantic import SecretStr

    from orchestrator_app.composition.webhooks import AGENT_SCHEME

    event = {"type": "transcription", "call_id": CALL, "tenant_id": "default", "event_id": "second", "sequence": 2}
    body = json.dumps({**event, "data": {"text": "hello", "final": False}})
    signature = AGENT_SCHEME.sign(body.encode(), datetime.now(UTC), SecretStr(agent))
    headers = {"content-type": "application/json", **signature}
    file = folder / "webhook.json"
    file.write_text(json.dumps({"method": "POST", "path": "/call/event", "headers": headers, "body": body}))
    return file


def filled(text: str, places: Mapping[str, str]) -> str:
    """The text with what its placeholders stand for; other braces stay."""
    for name, value in places.items():
        text = text.replace("{" + name + "}", value)
    return text


def main(arguments: Sequence[str]) -> int:
    """Start, run, end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given = list(arguments)
        variables: dict[str, str] = {}
        while given and given[0] in FLAGS:
            variables |= FLAGS[given.pop(0)]
        with running(folder, variables) as places:
            if given[:1] == ["--template"]:
                _, template, out = given[:3]
                Path(out).write_text(filled(Path(template).read_text(), places))
                given = given[3:]
            done = subprocess.run([filled(each, places) for each in given], check=False)
        if done.returncode:
            print((folder / "app.log").read_text()[-4000:], file=sys.stderr)
        return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
