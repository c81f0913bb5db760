"""One server: requests to it, and what its answers mean."""

from __future__ import annotations

import ipaddress
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from srt_router.client.errors import ApiProblem, NoAnswer, WrongField

Json = dict[str, Any]
Query = Mapping[str, str | int | bool | list[str] | None]

_PATIENT_S = 600.0
"""So long may what reads or copies a whole database take."""
_PAUSES_S = (0.2, 1.0)
"""Before each further try."""
_LONGEST_PAUSE_S = 5.0
"""Who is told to wait longer is not kept waiting, but told."""


class Connection:
    """Requests to one server, over connections that are kept. Not for several threads at once."""

    def __init__(
        self, url: str, token: str | None, verify: bool | ssl.SSLContext | Path, timeout_s: float, *, again: bool
    ) -> None:
        self.url = url.rstrip("/")
        self.context = trust(verify) if self.url.startswith("https:") else None
        self.direct = is_local(self.url)
        """No proxy stands between."""
        self.timeout_s = timeout_s
        self._pauses_s = _PAUSES_S if again else ()
        self._http = httpx.Client(
            base_url=self.url,
            verify=self.context or False,
            timeout=timeout_s,
            trust_env=not self.direct,
            headers={"Accept": "application/json"},
        )
        self.token = token

    @property
    def token(self) -> str | None:
        """What signs in."""
        return self._token

    @token.setter
    def token(self, token: str | None) -> None:
        self._token = token
        self._http.headers.pop("Authorization", None)
        if token:
            self._http.headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def get(self, path: str, query: Query | None = None) -> Any:
        """Look. Asked again after a failure of the network, and where the server says that it is busy.

        Raises ApiProblem and NoAnswer, as everything here does.
        """
        return self.read(path, query).json()

    def read(self, path: str, query: Query | None = None) -> httpx.Response:
        """Look; the whole answer."""
        for pause_s in self._pauses_s:
            try:
                return self.send("GET", path, query=query)
            except NoAnswer:
                time.sleep(pause_s)
            except ApiProblem as problem:
                if problem.retry_after_s is None or problem.retry_after_s > _LONGEST_PAUSE_S:
                    raise
                time.sleep(problem.retry_after_s)
        return self.send("GET", path, query=query)

    def send(  # noqa: PLR0913 - what a request consists of
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Query | None = None,
        if_match: str | None = None,
        patient: bool = False,
    ) -> httpx.Response:
        """Ask once: a change whose answer got lost may have been made, and must not be made twice."""
        answer = self.ask(method, path, body, query=query, if_match=if_match, patient=patient)
        if not answer.is_success:
            raise problem_of(answer.status_code, answer.headers, answer.content, self.url)
        return answer

    def ask(  # noqa: PLR0913 - what a request consists of
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Query | None = None,
        if_match: str | None = None,
        patient: bool = False,
    ) -> httpx.Response:
        """Ask once; whatever is answered."""
        headers = {"If-Match": if_match} if if_match else {}
        given: Json = {} if body is None else {"json": body}
        timeout_s = max(self.timeout_s, _PATIENT_S) if patient else self.timeout_s
        with self._told():
            return self._http.request(method, path, params=_given(query), headers=headers, timeout=timeout_s, **given)

    def change(  # noqa: PLR0913 - what a request consists of
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Query | None = None,
        if_match: str | None = None,
        patient: bool = False,
    ) -> Any:
        """Ask once; the content of the answer, None where it has none."""
        answer = self.send(method, path, body, query=query, if_match=if_match, patient=patient)
        return answer.json() if answer.content else None

    def download(self, path: str, target: Path) -> None:
        """Write what is answered into a new file that only we can read."""
        with self._told(), self._http.stream("GET", path, timeout=max(self.timeout_s, _PATIENT_S)) as answer:
            if not answer.is_success:
                raise problem_of(answer.status_code, answer.headers, answer.read(), self.url)
            target.touch(0o600, exist_ok=False)
            with target.open("wb") as file:
                for part in answer.iter_bytes():
                    file.write(part)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException as error:
            raise NoAnswer(f"{self.url} does not answer in time ({type(error).__name__})") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NoAnswer(f"{self.url} does not answer: {error}") from error


def problem_of(status: int, headers: Mapping[str, str], content: bytes, url: str) -> ApiProblem | NoAnswer:
    """What a refusal means. NoAnswer: no SRT Router refuses like this."""
    try:
        found = json.loads(content)
        fields = tuple(WrongField(str(one["field"]), str(one["message"])) for one in found.get("errors", ()))
        problem = ApiProblem(status, str(found["code"]), str(found["detail"]), fields)
    except (ValueError, KeyError, TypeError, AttributeError):
        return NoAnswer(f"{url} answers {status}, and not as a SRT Router does")
    wait = headers.get("retry-after", "")
    problem.retry_after_s = float(wait) if wait.isdigit() else None
    return problem


def is_local(url: str) -> bool:
    """Is it this machine? No proxy leads there."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def trust(verify: bool | ssl.SSLContext | Path) -> ssl.SSLContext:
    """Whose certificate is believed."""
    if isinstance(verify, ssl.SSLContext):
        return verify
    if isinstance(verify, Path):
        context = ssl.create_default_context(cafile=str(verify))
        context.check_hostname = False  # this very certificate, whatever name stands in it and whoever signed it
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _given(query: Query | None) -> dict[str, str | int | bool | list[str]]:
    return {name: value for name, value in (query or {}).items() if value is not None}
