"""A small client of an OpenAI-compatible server: streamed completions of random token ids, timed.

GuideLLM and AIPerf measure more and bring PyTorch, transformers and dozens of packages; of those numbers three are
needed here, and prompts of token ids need no tokenizer. One thread waits for each request.
"""

import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from moeconomics.errors import BadInput

TIMEOUT_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Timed:
    """One request: clock times in seconds, and tokens that came."""

    sent_s: float
    first_s: float
    last_s: float
    tokens: int

    @property
    def ttft_ms(self) -> float:
        """Time to the first token."""
        return 1e3 * (self.first_s - self.sent_s)

    @property
    def tpot_ms(self) -> float:
        """Time of each further token."""
        return 1e3 * (self.last_s - self.first_s) / (self.tokens - 1)


class Client:
    """Asks one server. `vocab_size`: ids of prompts are below it. Errors: `BadInput` for a URL that is none."""

    def __init__(self, url: str, vocab_size: int) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInput(f"endpoint {url!r}: give a URL such as http://localhost:8000")
        self.url = url
        self.tokens = range(vocab_size)
        self.random = random.Random(0)
        self._connection = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host = parts.netloc
        self._path = parts.path.rstrip("/").removesuffix("/v1")

    def models(self) -> list[dict[str, Any]]:
        """What the server serves. Errors: `BadInput` for a server that does not say."""
        with self._ask("GET", "/v1/models") as answer:
            text = answer.read()
        try:
            found: list[dict[str, Any]] = json.loads(text)["data"]
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{self.url}/v1/models does not answer as an OpenAI-compatible server") from error
        return found

    def version(self) -> str | None:
        """vLLM's answer to /version; None where there is none."""
        try:
            with self._ask("GET", "/version") as answer:
                return str(json.loads(answer.read())["version"])
        except (ValueError, KeyError, TypeError):  # ValueError: no JSON, or the `BadInput` of an answer that is no 200
            return None

    def together(self, model: str, requests: int, at_once: int, length: int, new_tokens: int) -> list[Timed]:
        """Send `requests` prompts of `length` random tokens, `at_once` at a time, each answered by `new_tokens`.

        Errors: `BadInput` where the server is not there, refuses, or gives another number of tokens.
        """
        prompts = [self.random.choices(self.tokens, k=length) for _ in range(requests)]
        with ThreadPoolExecutor(at_once) as threads:
            return list(threads.map(lambda prompt: self._complete(model, prompt, new_tokens), prompts))

    def _complete(self, model: str, prompt: list[int], new_tokens: int) -> Timed:
        body = {"model": model, "prompt": prompt, "max_tokens": new_tokens, "temperature": 0, "stream": True}
        # `ignore_eos` is known to vLLM, SGLang and llama.cpp.
        body |= {"ignore_eos": True, "stream_options": {"include_usage": True}}
        sent = time.perf_counter()
        times, tokens = [], 0
        with self._ask("POST", "/v1/completions", json.dumps(body)) as answer:
            for event in self._events(answer):
                if event.get("choices"):
                    times.append(time.perf_counter())
                # A piece of text may be several tokens, so the server's own count is asked for.
                tokens = (event.get("usage") or {}).get("completion_tokens") or tokens
        if tokens != new_tokens or len(times) < min(2, new_tokens):
            raise BadInput(
                f"{self.url} streamed {tokens} tokens in {len(times)} pieces where {new_tokens} were asked for: it "
                f"must honour ignore_eos and stream_options"
            )
        return Timed(sent_s=sent, first_s=times[0], last_s=times[-1], tokens=tokens)

    def _events(self, answer: HTTPResponse) -> Iterator[dict[str, Any]]:
        """Server-sent events until the last."""
        for line in answer:
            text = line.strip().removeprefix(b"data:").strip()
            if not line.startswith(b"data:") or text == b"[DONE]":
                continue
            try:
                event = json.loads(text)
            except ValueError as error:
                raise BadInput(f"{self.url} streams what is not JSON: {text[:200]!r}") from error
            if "error" in event:
                raise BadInput(f"{self.url}: {event['error']}")
            yield event

    @contextmanager
    def _ask(self, method: str, path: str, body: str | None = None) -> Iterator[HTTPResponse]:
        with closing(self._connection(self._host, timeout=TIMEOUT_S)) as connection:
            try:
                connection.request(method, self._path + path, body, {"Content-Type": "application/json"})
                with connection.getresponse() as answer:
                    if answer.status != 200:
                        said = answer.read(500).decode("utf-8", "replace")
                        raise BadInput(f"{self.url}{path} answers {answer.status}: {said}")
                    yield answer
            except (OSError, HTTPException) as error:
                raise BadInput(f"{self.url}: {str(error) or type(error).__name__}; is the server running?") from error
