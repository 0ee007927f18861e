"""The unmodified Python `openai` SDK against a gateway."""

import base64
import json

import openai
from openai import OpenAI

from checks import KEY, MODEL, URL, account_key, check, main, raises, silence

HELLO = [{"role": "user", "content": "Hello there"}]
# Models of their own for failures of the vendor: the gateway leaves a target alone that has just failed.
FAILING, BUSY = "openai/gpt-4o", "openai/gpt-4.1-nano"
TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


def client_of(key=KEY, path="/v1", **more):
    return OpenAI(api_key=key, base_url=URL + path, max_retries=0, timeout=30, **more)


client = client_of()
native = client_of(path="/api/v1")
bare = client_of(path="")


def say(text, model=MODEL, **more):
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **more)


@check("cost")
def chat():
    """chat: OpenAI's shape with the cost inside usage"""
    answer = say("Hello there")
    assert answer.choices[0].message.content == "You said: Hello there"
    assert answer.choices[0].finish_reason == "stop" and answer.choices[0].message.role == "assistant"
    assert answer.object == "chat.completion" and isinstance(answer.created, int)
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (12, 8, 20)
    assert abs(answer.usage.cost - 0.0000066) < 1e-12, answer.usage
    assert answer._request_id is not None and len(answer._request_id) == 36


@check("chat")
def parameters():
    """parameters reach the vendor as they were given"""
    sent = json.loads(say("[params]", temperature=0, top_p=0.5, seed=3, max_tokens=9, user="u", extra_body={"top_k": 5}).choices[0].message.content)
    assert sent == {"model": "gpt-4o-mini", "temperature": 0, "top_p": 0.5, "seed": 3, "max_tokens": 9, "user": "u", "top_k": 5}, sent


@check("stream")
def stream():
    """stream without include_usage: no usage chunk, no empty choices"""
    chunks = list(say("Hello there", stream=True))
    assert all(len(chunk.choices) == 1 for chunk in chunks), chunks
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "You said: Hello there"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)
    assert len({chunk.id for chunk in chunks}) == 1


@check("cost")
def stream_usage():
    """stream with include_usage: one last chunk with usage and cost"""
    chunks = list(say("Hello there", stream=True, stream_options={"include_usage": True}))
    last = chunks[-1]
    assert last.choices == [] and last.usage.total_tokens == 20
    assert abs(last.usage.cost - 0.0000066) < 1e-12, last.usage
    assert "".join(c.choices[0].delta.content or "" for c in chunks[:-1]) == "You said: Hello there"


@check("stream")
def stream_helper():
    """the stream helper with its events and final completion"""
    with client.chat.completions.stream(model=MODEL, messages=HELLO) as events:
        text = "".join(event.delta for event in events if event.type == "content.delta")
        final = events.get_final_completion()
    assert text == final.choices[0].message.content == "You said: Hello there"


@check("errors")
def stream_break():
    """an error inside a stream raises APIError after the text"""
    got = []

    def read():
        for chunk in say("[break]", stream=True):
            got.append(chunk.choices[0].delta.content or "")

    raises(openai.APIError, read)
    assert "".join(got) == "You said: [break]"


@check("stream")
def heartbeats():
    """heartbeats before a late first token are not seen; an error after them is"""
    text = "".join(chunk.choices[0].delta.content or "" for chunk in say("[late]", stream=True))
    assert text == "You said: [late]", text
    try:
        list(say("[late] [status 500]", model=FAILING, stream=True))
    except openai.APIError as error:
        assert error.code == "upstream_error", error
    else:
        raise AssertionError("nothing was raised")


@check("stop")
def leaves():
    """closing a stream early ends it, and the next call is served"""
    stream = say("[slow]", stream=True)
    next(iter(stream))
    stream.close()
    assert say("Hello there").choices[0].message.content == "You said: Hello there"


@check("chat")
def concurrent():
    """twenty calls at once through one async client"""
    import asyncio

    async def all_of_them():
        async with openai.AsyncOpenAI(api_key=KEY, base_url=URL + "/v1", max_retries=0) as many:
            one = lambda n: many.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": str(n)}])
            return await asyncio.gather(*(one(n) for n in range(20)))

    texts = [answer.choices[0].message.content for answer in asyncio.run(all_of_them())]
    assert texts == [f"You said: {n}" for n in range(20)], texts


@check("tools")
def tools():
    """tools, whole: the call and its result"""
    answer = say("weather?", tools=[TOOL])
    choice = answer.choices[0]
    call = choice.message.tool_calls[0]
    assert choice.finish_reason == "tool_calls" and choice.message.content is None
    assert call.function.name == "weather" and json.loads(call.function.arguments) == {"city": "Oslo"}
    turns = [*HELLO, choice.message, {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
    after = client.chat.completions.create(model=MODEL, messages=turns, tools=[TOOL])
    assert after.choices[0].message.content == "The tool said: rain"


@check("tools")
def tools_stream():
    """tools, streamed: fragments assemble"""
    with client.chat.completions.stream(model=MODEL, messages=HELLO, tools=[TOOL]) as events:
        final = events.get_final_completion()
    call = final.choices[0].message.tool_calls[0]
    assert call.id == "call_1" and call.function.name == "weather"
    assert json.loads(call.function.arguments) == {"city": "Oslo"}
    assert final.choices[0].finish_reason == "tool_calls"


@check("schema")
def structured():
    """chat.completions.parse with a strict schema"""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
    answer = client.chat.completions.parse(
        model=MODEL,
        messages=[{"role": "user", "content": "Which city?"}],
        response_format={"type": "json_schema", "json_schema": {"name": "place", "strict": True, "schema": schema}},
    )
    assert json.loads(answer.choices[0].message.content) == {"city": "Oslo"}


@check("completion")
def completions():
    """text completions, whole and streamed"""
    answer = client.completions.create(model=MODEL, prompt="Once upon a time")
    assert answer.choices[0].text == "You said: Once upon a time"
    assert answer.object == "text_completion" and answer.usage.total_tokens == 20
    chunks = client.completions.create(model=MODEL, prompt="Once upon a time", stream=True)
    assert "".join(chunk.choices[0].text for chunk in chunks) == "You said: Once upon a time"


@check("models")
def models():
    """models.list and models.retrieve, ids with a slash"""
    listed = [model.id for model in client.models.list()]
    assert "openai/gpt-4o-mini" in listed and "local/sandbox" in listed, listed[:5]
    model = client.models.retrieve("openai/gpt-4o-mini")
    assert model.id == "openai/gpt-4o-mini" and model.object == "model" and model.owned_by == "openai"


@check("chat")
def raw_response():
    """headers by with_raw_response"""
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=HELLO)
    assert len(raw.headers["x-request-id"]) == 36
    assert raw.parse().choices[0].message.content == "You said: Hello there"


@check("errors")
def bad_request():
    """BadRequestError names the parameter; also for what the vendor refuses"""
    error = raises(openai.BadRequestError, lambda: say("hi", temperature=9), "temperature")
    assert error.param == "temperature" and error.code == "bad_request" and error.type == "invalid_request_error"
    raises(openai.BadRequestError, lambda: say("[status 400]"), "The vendor says 400")


@check("errors")
def authentication():
    """AuthenticationError, the key not in its text"""
    bad = "indox-" + "b" * 32
    error = raises(openai.AuthenticationError, lambda: client_of(bad).models.with_raw_response.list() and client_of(bad).chat.completions.create(model=MODEL, messages=HELLO))
    assert bad not in str(error) and error.code == "invalid_api_key"


@check("errors")
def permission():
    """PermissionDeniedError for a model the key may not use"""
    narrow = client_of(account_key(allowed_models=["local/*"]))
    error = raises(openai.PermissionDeniedError, lambda: narrow.chat.completions.create(model=MODEL, messages=HELLO))
    assert error.code == "model_not_allowed"


@check("errors")
def not_found():
    """NotFoundError for a provider, a model and a path"""
    raises(openai.NotFoundError, lambda: say("hi", model="nobody/x"))
    error = raises(openai.NotFoundError, lambda: client.models.retrieve("openai/no-such"))
    assert error.code == "model_not_found"
    raises(openai.NotFoundError, lambda: client.get("/no/such/path", cast_to=object))


@check("errors")
def rate_limit():
    """RateLimitError by the key's own limit, with Retry-After, and by the vendor's"""
    limited = client_of(account_key(rpm=1))
    limited.chat.completions.create(model=MODEL, messages=HELLO)
    error = raises(openai.RateLimitError, lambda: limited.chat.completions.create(model=MODEL, messages=HELLO))
    assert int(error.response.headers["retry-after"]) >= 1
    assert error.response.headers["x-ratelimit-limit-requests"] == "1"
    raises(openai.RateLimitError, lambda: say("[status 429]", model=BUSY))


@check("errors")
def payment():
    """402 is an APIStatusError that is not retried"""
    poor = OpenAI(api_key=account_key("0.000001"), base_url=URL + "/v1", max_retries=2, timeout=30)
    error = raises(openai.APIStatusError, lambda: poor.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=1000))
    assert error.status_code == 402 and error.code == "insufficient_credits"
    assert error.response.headers["x-should-retry"] == "false"


@check("errors")
def server_error():
    """InternalServerError for a failing vendor; a vendor's 401 is no AuthenticationError"""
    error = raises(openai.InternalServerError, lambda: say("[status 502]", model=FAILING))
    assert error.status_code == 502 and error.code == "upstream_error"
    raises(openai.InternalServerError, lambda: say("[status 401]", model=FAILING))


@check("retry")
def idempotency():
    """an Idempotency-Key gives the same answer again"""
    headers = {"Idempotency-Key": "python-openai-1"}
    first = client.chat.completions.with_raw_response.create(model=MODEL, messages=HELLO, extra_headers=headers)
    again = client.chat.completions.with_raw_response.create(model=MODEL, messages=HELLO, extra_headers=headers)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.content == first.content


@check("chat")
def bare_host():
    """base_url without a path: chat, stream and completions"""
    assert bare.chat.completions.create(model=MODEL, messages=HELLO).choices[0].message.content == "You said: Hello there"
    chunks = bare.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "You said: Hello there"
    assert bare.completions.create(model=MODEL, prompt="x").choices[0].text == "You said: x"
    raises(openai.BadRequestError, lambda: bare.chat.completions.create(model=MODEL, messages=[]), "messages")


@check("chat")
def native_prefix():
    """base_url /api/v1: choices beside the native fields, whole and streamed"""
    answer = native.chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.choices[0].message.content == "You said: Hello there" and answer.data == "You said: Hello there"
    chunks = native.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    text = "".join((c.choices[0].delta.content or "") for c in chunks if getattr(c, "choices", None))
    assert text == "You said: Hello there"
    assert native.completions.create(model=MODEL, prompt="x").choices[0].text == "You said: x"
    # The native error body's `error` is a code, which this SDK does not print.
    error = raises(openai.NotFoundError, lambda: native.chat.completions.create(model="nobody/x", messages=HELLO))
    assert "nobody" in error.response.json()["detail"]


@check("embed")
def embeddings():
    """embeddings.create: floats, the base64 its default asks for, dimensions, token ids"""
    name = "openai/text-embedding-3-small"
    answer = client.embeddings.create(model=name, input=["ab", "abcd"])
    assert [(row.index, row.embedding[0], len(row.embedding)) for row in answer.data] == [(0, 2.0, 4), (1, 4.0, 4)]
    assert answer.usage.prompt_tokens == 6 and answer.usage.cost > 0
    floats = client.embeddings.create(model=name, input="abc", encoding_format="float", dimensions=8)
    assert len(floats.data[0].embedding) == 8
    assert len(client.embeddings.create(model=name, input=[[1, 2], [3]]).data) == 2
    assert bare.embeddings.create(model=name, input="abc").data[0].embedding[0] == 3.0
    raises(openai.BadRequestError, lambda: client.embeddings.create(model=name, input=[]), "input")

@check("speech")
def speech():
    """audio.speech: create, and streamed to a file"""
    answer = client.audio.speech.create(model="openai/tts-1", voice="alloy", input="Hello there")
    assert answer.content.startswith(b"ID3Hello there") and answer.response.headers["content-type"] == "audio/mpeg"
    with client.audio.speech.with_streaming_response.create(model="openai/tts-1", voice="alloy", input="abc") as stream:
        assert b"".join(stream.iter_bytes()) == answer.content.replace(b"Hello there", b"abc")
    raises(openai.BadRequestError, lambda: client.audio.speech.create(model="openai/tts-1", voice="alloy", input=""), "input")

@check("transcribe")
def transcriptions():
    """audio.transcriptions in every format, with words; audio.translations"""
    path = silence(3)
    with open(path, "rb") as sound:
        answer = client.audio.transcriptions.create(model="openai/whisper-1", file=sound)
    assert answer.text == "Hello there. General Kenobi." and answer.usage.seconds == 3
    with open(path, "rb") as sound:
        verbose = client.audio.transcriptions.create(
            model="openai/whisper-1", file=sound, response_format="verbose_json", timestamp_granularities=["word"]
        )
    assert len(verbose.words) == 4 and verbose.duration == 3
    with open(path, "rb") as sound:
        assert client.audio.transcriptions.create(model="openai/whisper-1", file=sound, response_format="vtt").startswith("WEBVTT")
    with open(path, "rb") as sound:
        assert client.audio.translations.create(model="openai/whisper-1", file=sound).text == "Hello there. General Kenobi."
    raises(openai.BadRequestError, lambda: client.audio.transcriptions.create(model="openai/whisper-1", file=b""), "file")

@check("image")
def images():
    """images.generate and images.edit"""
    answer = client.images.generate(model="openai/dall-e-2", prompt="A fox", n=2, response_format="b64_json", size="256x256")
    assert len(answer.data) == 2 and answer.data[0].b64_json and answer.data[0].url is None
    edited = client.images.edit(model="openai/gpt-image-1", prompt="x", image=base64.b64decode(answer.data[0].b64_json))
    assert edited.data[0].b64_json and edited.usage.cost > 0
    raises(openai.BadRequestError, lambda: client.images.generate(model="openai/dall-e-2", prompt=""), "prompt")

@check("video")
def videos():
    """videos.create_and_poll, download_content, list, delete"""
    video = client.videos.create_and_poll(model="openai/sora-2", prompt="A fox", seconds="4", poll_interval_ms=100)
    assert video.status == "completed" and video.progress == 100
    assert client.videos.download_content(video.id).read()[4:8] == b"ftyp"
    assert client.videos.list(limit=1).data[0].object == "video"
    assert client.videos.delete(video.id).deleted


main()
