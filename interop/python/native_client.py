"""The unmodified Python client `indoxhub` against a gateway."""

import json
import logging
import socket
import time
import urllib.request

import indoxhub
from indoxhub import Client, exceptions as errors

from checks import EXPIRED_TOKEN, KEY, MODEL, URL, account_key, check, main, raises, silence

logging.disable(logging.CRITICAL)
HELLO = [{"role": "user", "content": "Hello there"}]
# Models of their own for failures of the vendor: the gateway leaves a target alone that has just failed.
FAILING, BUSY = "openai/gpt-4.1", "openai/gpt-4.1-mini"
client = Client(api_key=KEY, base_url=URL, timeout=30)


def say(text):
    return [{"role": "user", "content": text}]


def client_of(key):
    return Client(api_key=key, base_url=URL, timeout=30)


def joined(frames):
    return "".join(frame["data"] for frame in frames if frame.get("type") == "content")


def printed(frames):
    """What a program prints that prints every frame's data."""
    return "".join(frame["data"] for frame in frames if isinstance(frame.get("data"), str))


@check("account")
def construct():
    """the constructor exchanges the key for a token and a cookie"""
    assert indoxhub.__version__ == "0.2.2", indoxhub.__version__
    assert client.access_token.count(".") == 2
    assert client.session.cookies.get("access_token") == client.access_token


@check("account")
def trailing_slash():
    """a base URL with a trailing slash"""
    assert Client(api_key=KEY, base_url=URL + "/", timeout=30).chat(HELLO)["success"] is True


@check("account")
def context_manager():
    """the client as a context manager"""
    with client_of(KEY) as other:
        assert other.chat(HELLO)["data"] == "You said: Hello there"


@check("account")
def cookie_only():
    """the cookie alone authenticates"""
    other = client_of(KEY)
    other.access_token = None
    assert other.chat(HELLO)["data"] == "You said: Hello there"


@check("errors")
def bad_key():
    """a wrong key: AuthenticationError from the constructor, the key not in its text"""
    bad = "indox-" + "a" * 32
    error = raises(errors.AuthenticationError, lambda: client_of(bad), "invalid api key")
    assert bad not in str(error)


@check("retry")
def expired_token():
    """an expired token is exchanged again, once, and the call goes through"""
    other = client_of(KEY)
    other.access_token = EXPIRED_TOKEN
    other.session.cookies.clear()
    exchanges = []
    authenticate = other._authenticate
    other._authenticate = lambda: (exchanges.append(1), authenticate())
    assert other.chat(HELLO)["data"] == "You said: Hello there"
    assert len(exchanges) == 1, exchanges
    assert other.access_token != EXPIRED_TOKEN


@check("retry")
def expired_token_stream():
    """an expired token before a stream, too"""
    other = client_of(KEY)
    other.access_token = EXPIRED_TOKEN
    other.session.cookies.clear()
    assert joined(other.chat(HELLO, stream=True)) == "You said: Hello there"


@check("account")
def test_connection():
    """test_connection()"""
    answer = client.test_connection()
    assert answer["status"] == "connected", answer
    assert answer["status_code"] == 200
    assert answer["server_info"]["status"] == "ok", answer


@check("chat")
def chat():
    """chat(): the native envelope"""
    answer = client.chat(HELLO)
    assert answer["data"] == "You said: Hello there", answer
    assert answer["success"] is True and answer["message"] == ""
    assert answer["provider"] == "openai" and answer["model"] == "gpt-4o-mini"
    assert answer["finish_reason"] == "stop"
    assert answer["byok_api_key"] is False and answer["raw_response"] is None
    assert answer["images"] is None and answer["reasoning_content"] is None
    usage = answer["usage"]
    assert (usage["tokens_prompt"], usage["tokens_completion"], usage["tokens_total"]) == (12, 8, 20)
    assert abs(usage["cost"] - (12 * 0.15 + 8 * 0.60) / 1e6) < 1e-15, usage
    assert abs(sum(usage["cost_breakdown"].values()) - usage["cost"]) < 1e-9
    assert usage["latency"] == answer["duration_ms"] >= 0
    assert len(answer["request_id"]) == 36 and answer["created_at"].endswith("Z")
    assert answer["choices"][0]["message"]["content"] == answer["data"]


@check("chat")
def chat_parts():
    """chat() with content as a list of parts"""
    answer = client.chat([{"role": "user", "content": [{"type": "text", "text": "in parts"}]}])
    assert answer["data"] == "You said: in parts"


@check("stream")
def chat_stream():
    """chat(stream=True): every frame parsed, text joined once, usage at the end"""
    frames = list(client.chat(HELLO, stream=True))
    assert joined(frames) == "You said: Hello there", frames
    assert printed(frames) == "You said: Hello there"
    start, final = frames[0], [f for f in frames if f.get("type") == "usage_final"]
    assert start["type"] == "usage_start" and len(start["request_id"]) == 36
    assert len(final) == 1
    assert (final[0]["input_tokens"], final[0]["output_tokens"]) == (12, 8)
    assert final[0]["cost_usd"] > 0 and final[0]["latency_ms"] >= 0
    finish = [f for f in frames if f.get("type") == "finish"]
    assert [f["finish_reason"] for f in finish] == ["stop"]


@check("stop")
def stream_stop():
    """a stream stopped by its request id ends with finish_reason cancelled"""
    frames = []
    stopped = None
    for frame in client.chat(say("[slow]"), stream=True):
        frames.append(frame)
        if len(frames) == 4:
            stopped = client._request("POST", f"completions/stop-stream/{frames[0]['request_id']}")
    assert stopped == {"success": True}
    assert [f["finish_reason"] for f in frames if f.get("type") == "finish"] == ["cancelled"]
    assert [f for f in frames if f.get("type") == "usage_final"][0]["cost_usd"] > 0


@check("errors")
def stream_break():
    """an error inside a stream raises APIError after the text"""
    got = []

    def read():
        for frame in client.chat(say("[break]"), stream=True):
            got.append(frame)

    raises(errors.APIError, read, "502")
    assert joined(got) == "You said: [break]"


@check("stream")
def heartbeats():
    """heartbeats before a late first token are not seen; an error after them is"""
    assert joined(client.chat(say("[late]"), stream=True)) == "You said: [late]"
    late = lambda: list(client.chat(say("[late] [status 500]"), model=FAILING, stream=True))
    try:
        late()
    except (errors.APIError, errors.RequestError) as error:
        assert "502" in str(error), error
    else:
        raise AssertionError("nothing was raised")


@check("completion")
def completion():
    """completion()"""
    answer = client.completion("Once upon a time")
    assert answer["data"] == "You said: Once upon a time", answer
    assert answer["usage"]["tokens_total"] == 20


@check("completion")
def completion_stream():
    """completion(stream=True)"""
    frames = list(client.completion("Once upon a time", stream=True))
    assert joined(frames) == "You said: Once upon a time", frames
    assert printed(frames) == joined(frames)


@check("chat")
def sandbox():
    """the keyless local model, whole and streamed"""
    answer = client.chat(HELLO, model="local/sandbox")
    assert answer["data"] and answer["provider"] == "local"
    assert joined(client.chat(HELLO, model="local/sandbox", stream=True)) == answer["data"]


@check("chat")
def parameters():
    """keyword extras reach the vendor; nulls and our own fields do not"""
    sent = json.loads(client.chat(say("[params]"), top_p=0.5, seed=42, stop=["x"], session_id="s")["data"])
    assert sent["top_p"] == 0.5 and sent["seed"] == 42 and sent["stop"] == ["x"], sent
    assert sent["temperature"] == 0.7 and sent["model"] == "gpt-4o-mini"
    for name in ("max_tokens", "byok_api_key", "additional_params", "session_id", "provider"):
        assert name not in sent, sent


@check("chat")
def nested_parameters():
    """additional_params given as a keyword arrive although the client wraps them again"""
    sent = json.loads(client.chat(say("[params]"), additional_params={"seed": 7}, top_p=0.25)["data"])
    assert sent["seed"] == 7 and sent["top_p"] == 0.25, sent


@check("chat")
def provider_keyword():
    """provider= beside a bare model name"""
    answer = client.chat(HELLO, model="gpt-4o-mini", provider="openai")
    assert answer["provider"] == "openai" and answer["model"] == "gpt-4o-mini"


@check("tools")
def tools():
    """a tool call arrives in data and choices; its result is answered"""
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    answer = client.chat(HELLO, tools=[tool])
    assert answer["finish_reason"] == "tool_calls"
    call = answer["data"]["tool_calls"][0]
    assert call["function"] == {"name": "weather", "arguments": '{"city":"Oslo"}'}, answer
    assert answer["choices"][0]["message"]["tool_calls"][0]["id"] == call["id"]
    turns = HELLO + [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "rain"},
    ]
    assert client.chat(turns, tools=[tool])["data"] == "The tool said: rain"
    pieces = [
        piece["function"].get("arguments", "")
        for frame in client.chat(HELLO, tools=[tool], stream=True)
        if frame.get("type") == "tool_calls"
        for piece in frame["choices"][0]["delta"]["tool_calls"]
    ]
    assert "".join(pieces) == '{"city":"Oslo"}'


@check("schema")
def structured():
    """response_format as a keyword: an answer of that shape"""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    answer = client.chat(
        messages=say("Which city?"),
        model=MODEL,
        response_format={"type": "json_schema", "json_schema": {"name": "place", "schema": schema}},
    )
    assert json.loads(answer["data"]) == {"city": "Oslo"}, answer


@check("cost")
def byok():
    """byok_api_key reaches the vendor as its key, costs nothing and is said"""
    answer = client.chat(say("[key]"), byok_api_key="sk-of-the-caller-1234")
    assert answer["data"] == "Bearer sk-of-the-caller-1234", answer["data"]
    assert answer["byok_api_key"] is True and answer["usage"]["cost"] == 0
    assert client.chat(say("[key]"))["data"] == "Bearer sk-of-the-gateway"


@check("errors")
def byok_rejected():
    """a rejected BYOK key is no AuthenticationError and is not in the text"""
    error = raises(
        errors.InvalidParametersError,
        lambda: client.chat(say("[status 401]"), byok_api_key="sk-of-the-caller-1234"),
    )
    assert "sk-of-the-caller" not in str(error)


@check("models")
def models():
    """models(), models(provider), get_model_info()"""
    providers = client.models()
    assert isinstance(providers, list)
    openai = next(each for each in providers if each["id"] == "openai")
    assert any(model["id"] == "gpt-4o-mini" for model in openai["models"])
    assert any(model["id"] == "gpt-4o-mini" for model in openai["text_completions"])
    assert client.models("openai")["id"] == "openai"
    info = client.get_model_info("openai", "gpt-4o-mini")
    assert info["id"] == "gpt-4o-mini" and info["provider"] == "openai" and info["modelName"]
    assert info["pricing"]["input"] == 0.00015 and info["pricing"]["unit"] == "1K tokens", info
    assert "chat" in info["capabilities"] and info["byok"] is True


@check("account")
def usage():
    """get_usage() counts this account's calls exactly"""
    other = client_of(account_key("1.00"))
    cost = sum(other.chat(HELLO)["usage"]["cost"] for _ in range(3))
    report = other.get_usage()
    assert report["total_requests"] == 3, report
    assert abs(report["total_cost"] - cost) < 1e-12
    assert abs(report["remaining_credits"] - (1 - cost)) < 1e-9
    assert report["total_tokens"] == {"input": 36, "output": 24, "total": 60}
    assert report["endpoints"]["chat"]["requests"] == 3
    assert report["models"]["openai/gpt-4o-mini"]["requests"] == 3
    assert report["daily_usage"][0]["requests"] == 3


@check("errors")
def invalid_parameters():
    """InvalidParametersError names the field"""
    raises(errors.InvalidParametersError, lambda: client.chat(HELLO, temperature=9), "temperature")
    raises(errors.InvalidParametersError, lambda: client.chat([]), "messages")


@check("errors")
def validation_error():
    """ValidationError when the vendor calls it one"""
    raises(errors.ValidationError, lambda: client.chat(say("[status 400 validation failed]")), "validation failed")


@check("errors")
def unconfigured_provider():
    """a provider without a key is an InvalidParametersError that names the variable"""
    raises(
        errors.InvalidParametersError,
        lambda: client.chat(HELLO, model="mistral/mistral-small-latest"),
        "MISTRAL_API_KEY",
    )


@check("errors")
def provider_not_found():
    """ProviderNotFoundError"""
    raises(errors.ProviderNotFoundError, lambda: client.chat(HELLO, model="nobody/gpt"), "nobody")
    raises(errors.ProviderNotFoundError, lambda: client.models("nobody"))


@check("errors")
def model_not_found():
    """ModelNotFoundError"""
    raises(errors.ModelNotFoundError, lambda: client.get_model_info("openai", "no-such"), "openai/no-such")


@check("errors")
def model_not_available():
    """ModelNotAvailableError when the vendor does not know the model"""
    raises(errors.ModelNotAvailableError, lambda: client.chat(say("[status 404]"), model=FAILING))


@check("errors")
def insufficient_credits():
    """InsufficientCreditsError, whole and streamed"""
    poor = client_of(account_key("0.000001"))
    raises(errors.InsufficientCreditsError, lambda: poor.chat(HELLO, max_tokens=1000), "insufficient credits")
    raises(errors.InsufficientCreditsError, lambda: poor.chat(HELLO, stream=True))


@check("errors")
def rate_limit():
    """RateLimitError by the key's own limit, and by the vendor's"""
    limited = client_of(account_key(rpm=2))
    limited.chat(HELLO)
    limited.chat(HELLO)
    raises(errors.RateLimitError, lambda: limited.chat(HELLO), "2 requests per minute")
    raises(errors.RateLimitError, lambda: client.chat(say("[status 429]"), model=BUSY))


@check("errors")
def request_error():
    """RequestError when the vendor fails; a vendor's 401 is no AuthenticationError"""
    raises(errors.RequestError, lambda: client.chat(say("[status 502]"), model=FAILING), "502")
    raises(errors.RequestError, lambda: client.chat(say("[status 401]"), model=FAILING))


@check("errors")
def api_error():
    """APIError for a model the key may not use (403)"""
    narrow = client_of(account_key(allowed_models=["local/*"]))
    raises(errors.APIError, lambda: narrow.chat(HELLO), "403")
    assert narrow.chat(HELLO, model="local/sandbox")["success"]


@check("errors")
def revoked():
    """a key revoked under a client: AuthenticationError within a second"""
    from checks import admin

    made = admin("/keys", {"name": "to be revoked"})
    other = client_of(made["api_key"])
    assert other.chat(HELLO)["success"]
    admin(f"/keys/{made['id']}/revoke", {})
    time.sleep(1)
    raises(errors.AuthenticationError, lambda: other.chat(HELLO), "revoked")


@check("errors")
def resemble():
    """client.resemble: ResembleBusinessPlanError"""
    raises(errors.ResembleBusinessPlanError, lambda: client.resemble.tts.list_voices(), "business-plan")


@check("errors")
def network_error():
    """NetworkError when nobody listens"""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    other = client_of(KEY)
    other.base_url = f"http://127.0.0.1:{port}"
    raises(errors.NetworkError, lambda: other.chat(HELLO))
    raises(errors.NetworkError, lambda: Client(api_key=KEY, base_url=f"http://127.0.0.1:{port}", timeout=5))


@check("embed")
def embeddings():
    """client.embeddings: plain vectors in order, dimensions, usage; one text and many; the default model"""
    answer = client.embeddings(["one", "three"], model="openai/text-embedding-3-small")
    assert answer["success"] and answer["dimensions"] == 4, answer
    assert [vector[0] for vector in answer["data"]] == [3, 5]
    assert answer["usage"]["tokens_prompt"] == 6 and answer["usage"]["cost"] > 0
    single = client.embeddings("seven77")
    assert single["model"] == "text-embedding-3-small" and single["data"][0][0] == 7
    raises(errors.InvalidParametersError, lambda: client.embeddings([]), "text")

@check("speech")
def text_to_speech():
    """client.text_to_speech: a link that a plain GET opens, characters and cost"""
    answer = client.text_to_speech("Hello there", model="openai/tts-1", voice="nova", response_format="mp3", speed=1.0)
    assert answer["success"] and answer["data"]["url"] == answer["data"]["audio_url"]
    with urllib.request.urlopen(answer["data"]["audio_url"]) as sound:
        assert sound.headers["Content-Type"] == "audio/mpeg" and sound.read().startswith(b"ID3Hello there")
    assert answer["usage"]["characters"] == 11 and abs(answer["usage"]["cost"] - 0.000165) < 1e-12
    raises(errors.InvalidParametersError, lambda: client.text_to_speech("x", speed=9), "speed")

@check("transcribe")
def speech_to_text():
    """client.speech_to_text: text, words, subtitles, length and cost; translate_audio"""
    path = silence(3)
    answer = client.speech_to_text(path, model="openai/whisper-1")
    assert answer["success"] and answer["text"] == "Hello there. General Kenobi.", answer
    assert answer["usage"]["seconds"] == 3 and abs(answer["usage"]["cost"] - 0.0003) < 1e-12
    words = client.speech_to_text(
        path, model="openai/whisper-1", response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    assert [word["word"] for word in words["data"]["words"]] == ["Hello", "there", "General", "Kenobi"]
    assert len(words["segments"]) == 2
    assert client.speech_to_text(path, model="openai/whisper-1", response_format="srt")["text"].startswith("1\n00:00:00,000")
    assert client.translate_audio(path, model="openai/whisper-1")["text"] == "Hello there. General Kenobi."

@check("image")
def images():
    """client.images: a link, base64, and what the client leaves out for gpt-image and Google"""
    answer = client.images("A fox", model="openai/dall-e-3", size="1024x1024", quality="standard")
    with urllib.request.urlopen(answer["data"][0]["url"]) as picture:
        assert picture.headers["Content-Type"] == "image/png" and picture.read().startswith(b"\x89PNG")
    assert abs(answer["usage"]["cost"] - 0.04) < 1e-9
    gpt = client.images("A fox", model="openai/gpt-image-1", size="1024x1024")
    assert "b64_json" in gpt["data"][0] and gpt["usage"]["cost"] > 0
    raises(errors.InvalidParametersError, lambda: client.images("A fox", model="google/imagen-4.0-generate-001"), "GEMINI_API_KEY")

@check("video")
def local_video():
    """client.videos and wait_for_video_job of local/motion, which needs no key: a film that opens"""
    started = client.videos("a quiet lake", model="local/motion", duration=1, size="128x72")
    seen = []
    job = client.wait_for_video_job(
        started["data"]["job_id"], check_interval=1, max_wait_time=60, callback=lambda each: seen.append(each["status"])
    )
    assert job["status"] == "completed" and job["model"] == "motion", job
    with urllib.request.urlopen(job["result"]["url"]) as film:
        content = film.read()
    assert content[4:8] == b"ftyp" and len(content) == job["result"]["file_size"]
    assert client.list_video_jobs(limit=1)["jobs"][0]["job_id"] == job["job_id"]
    endless = client.videos("hills", model="local/motion", duration=20, resolution="720p")["data"]["job_id"]
    assert client.cancel_video_job(endless)["message"]
    assert client.get_video_job_status(endless)["status"] == "cancelled"


@check("video")
def videos():
    """client.videos, wait_for_video_job, list_video_jobs, cancel_video_job"""
    started = client.videos("A fox", model="openai/sora-2", duration=4)
    assert started["data"]["is_async"] and started["data"]["status"] == "queued"
    job = client.wait_for_video_job(started["data"]["job_id"], check_interval=1, max_wait_time=60)
    assert job["status"] == "completed" and job["result"]["file_size"] > 0, job
    with urllib.request.urlopen(job["result"]["video_url"]) as film:
        assert film.headers["Content-Type"] == "video/mp4" and len(film.read()) == job["result"]["file_size"]
    assert client.get_video_job_status(started["data"]["job_id"])["progress"] == 100
    jobs = client.list_video_jobs(limit=5, skip=0)
    assert jobs["total"] >= 1 and "result" in jobs["jobs"][0]
    endless = client.videos("[forever]", model="openai/sora-2")["data"]["job_id"]
    assert client.cancel_video_job(endless)["message"]
    assert client.get_video_job_status(endless)["status"] == "cancelled"
    failing = client.videos("[fail]", model="openai/sora-2")["data"]["job_id"]
    raises(errors.APIError, lambda: client.wait_for_video_job(failing, check_interval=1, max_wait_time=60), "Not this")


main()
