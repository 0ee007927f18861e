"""Checks of a client against a running gateway: each prints one line, the last line counts them."""

import json
import os
import sys
import tempfile
import time
import traceback
import urllib.request
import wave

URL = os.environ["GATEWAY_URL"]
KEY = os.environ["GATEWAY_KEY"]
EXPIRED_TOKEN = os.environ.get("GATEWAY_EXPIRED_TOKEN", "")
ADMIN_KEY = os.environ["GATEWAY_ADMIN_KEY"]
MODEL = "openai/gpt-4o-mini"

_checks = []


def check(capability):
    """Registers a check of a capability; its docstring is its name. A check fails by raising."""

    def register(function):
        _checks.append((capability, function))
        return function

    return register


def admin(path, body):
    request = urllib.request.Request(
        URL + "/admin/v1" + path,
        data=json.dumps(body).encode(),
        headers={"Authorization": "Bearer " + ADMIN_KEY, "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def account_key(credits=None, **key):
    """The API key of a new account; credits as "5.00", None for no cap."""
    account = admin("/accounts", {"name": "client", "credits": credits})
    return admin("/keys", {"account_id": account["id"], "name": "client", **key})["api_key"]


def raises(kind, function, *words):
    """Exactly this class, and these words in its text."""
    try:
        function()
    except Exception as error:  # noqa: BLE001
        assert type(error) is kind, f"{type(error).__name__}: {error}"
        for word in words:
            assert word.lower() in str(error).lower(), f"no {word!r} in {error}"
        return error
    raise AssertionError(f"nothing was raised, {kind.__name__} expected")


def silence(seconds):
    """A WAV file on disk."""
    path = os.path.join(tempfile.mkdtemp(), "clip.wav")
    with wave.open(path, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(b"\0\0" * 8000 * seconds)
    return path


def main():
    failed = 0
    for capability, function in _checks:
        name = f"[{capability}] {function.__doc__ or function.__name__}"
        started = time.monotonic()
        try:
            function()
        except Exception:  # noqa: BLE001
            failed += 1
            print(f"  FAIL {name}")
            print("       " + traceback.format_exc().strip().replace("\n", "\n       "))
        else:
            print(f"  ok   {name} ({(time.monotonic() - started) * 1000:.0f} ms)")
    print(f"{len(_checks) - failed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)
