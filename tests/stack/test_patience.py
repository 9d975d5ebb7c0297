"""Airflow's API behind a bad moment: what changes nothing is asked again until the wait's deadline, nothing else is."""

import contextlib
import http.server
import threading
from collections.abc import Iterator

import httpx
import pytest

from fogline.stack.airflow_api import AirflowApi
from fogline.stack.airflow_runs import AirflowRuns
from fogline.stack.errors import StackError
from fogline.stack.patience import CHANGES_NOTHING, PatientTransport
from fogline.stack.waiting import deadline, remaining_s, wait_until

TOKEN = (201, b'{"access_token": "t"}')
RUNNING = (200, b'{"state": "running"}')
BROKEN_OFF = (200, b"")


class FakeAirflow(http.server.BaseHTTPRequestHandler):
    """Gives each address the answers that were put up for it; the last one for ever."""

    answers: dict[str, list[tuple[int, bytes]]]
    asked: list[str]

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked.append(f"{self.command} {self.path}")
        prepared = self.answers[self.path]
        status, body = prepared.pop(0) if len(prepared) > 1 else prepared[0]
        self.send_response(status)
        # What is less than was promised is an answer that breaks off.
        self.send_header("Content-Length", str(len(body) or 100))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    do_GET = do_POST = do_PATCH = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def fake_airflow(**answers: list[tuple[int, bytes]]) -> Iterator[tuple[str, list[str]]]:
    """Run a server whose addresses are the names of the answers; give its address and what it is asked."""
    asked: list[str] = []
    prepared = {f"/{name}": own for name, own in answers.items()}
    prepared |= {f"/api/v2/dags/{name}": own for name, own in answers.items()}
    prepared["/api/v2/dags/farm/dagRuns/one"] = answers.get("state", [RUNNING])
    prepared["/auth/token"] = answers.get("login", [TOKEN])
    handler = type("Handler", (FakeAirflow,), {"answers": prepared, "asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def runs_of(url: str) -> AirflowRuns:
    return AirflowRuns(AirflowApi(url, "admin", "secret"))


@pytest.mark.parametrize("bad", [(500, b"Database error"), (503, b"no"), BROKEN_OFF], ids=["500", "503", "broken off"])
def test_a_state_is_asked_for_again_until_it_is_said(bad: tuple[int, bytes]) -> None:
    with fake_airflow(state=[bad, bad, RUNNING]) as (url, asked):
        assert runs_of(url).state("farm", "one") == "running"
    assert asked.count("GET /api/v2/dags/farm/dagRuns/one") == 3


def test_a_login_is_tried_again_because_it_changes_nothing() -> None:
    with fake_airflow(login=[(500, b"no"), TOKEN]) as (url, asked):
        assert runs_of(url).state("farm", "one") == "running"
    assert asked.count("POST /auth/token") == 2


def test_the_wait_s_deadline_ends_the_asking_and_the_last_answer_is_told() -> None:
    with fake_airflow(state=[(500, b"Database error")]) as (url, asked):
        runs = runs_of(url)
        with pytest.raises(StackError, match=r"failed at GET .*/dagRuns/one: 500 Database error; .*airflow-api-server"):
            wait_until(lambda: runs.state("farm", "one") == "success", what="it", deadline_s=0.5)
    assert len(asked) > 2


def test_what_was_refused_is_not_asked_again() -> None:
    refusal = pytest.raises(StackError, match=r"Airflow refused GET .*404 no such run")
    with fake_airflow(state=[(404, b"no such run"), RUNNING]) as (url, asked), refusal:
        runs_of(url).state("farm", "one")
    assert asked == ["POST /auth/token", "GET /api/v2/dags/farm/dagRuns/one"]


@pytest.mark.parametrize("bad", [(500, b"Database error"), BROKEN_OFF], ids=["500", "broken off"])
def test_a_change_is_not_repeated(bad: tuple[int, bytes]) -> None:
    with fake_airflow(farm=[bad, (200, b"{}")]) as (url, asked), pytest.raises(StackError, match=r"PATCH .*/farm"):
        runs_of(url).unpause("farm")
    assert asked == ["POST /auth/token", "PATCH /api/v2/dags/farm"]


def test_a_change_whose_answer_was_lost_may_have_happened_and_that_is_said() -> None:
    doubt = pytest.raises(StackError, match=r"does not answer PATCH .*look before you repeat it")
    with fake_airflow(farm=[BROKEN_OFF]) as (url, _), doubt:
        runs_of(url).unpause("farm")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_no_server_took_is_asked_again_whatever_it_is(method: str) -> None:
    tries = []

    def refuse_once(request: httpx.Request) -> httpx.Response:
        tries.append(request)
        if len(tries) == 1:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(200)

    client = httpx.Client(transport=PatientTransport(httpx.MockTransport(refuse_once)), base_url="http://airflow")
    assert client.request(method, "/").status_code == 200 and len(tries) == 2


def test_without_time_left_it_is_asked_once() -> None:
    tries = []

    def fail(request: httpx.Request) -> httpx.Response:
        tries.append(request)
        return httpx.Response(500)

    client = httpx.Client(transport=PatientTransport(httpx.MockTransport(fail)), base_url="http://airflow")
    with deadline(0):
        assert client.post("/", extensions=CHANGES_NOTHING).status_code == 500 and len(tries) == 1


def test_of_two_waits_the_first_to_end_counts() -> None:
    assert remaining_s(7) == 7
    with deadline(50):
        with deadline(100):
            assert remaining_s(7) <= 50
        with deadline(10):
            assert remaining_s(7) <= 10
        assert 10 < remaining_s(7) <= 50
    assert remaining_s(7) == 7
