"""HTTP calls to a server that now and then can't answer: what may be asked again is, until the wait's deadline.

A stall of the machine, or a server that is being started again, costs one call its answer. Only a call that changes
nothing is repeated, and one that no server took.
"""

import logging
import time

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception, retry_if_result, stop_after_delay, wait_exponential

from fogline.stack.waiting import remaining_s

# For a call outside of every wait.
PATIENCE_S = 60.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0
# Methods that change nothing at the server; a request of another one that changes nothing has this extension.
READING = {"GET", "HEAD"}
CHANGES_NOTHING = {"fogline.changes_nothing": True}
log = logging.getLogger(__name__)


class PatientTransport(httpx.BaseTransport):
    """Asks again where a server error or no answer came to a request that changes nothing.

    After the deadline the last answer is returned, or the last error raised, as if it had been the only one.

    Parameters
    ----------
    inner
        What asks once.
    """

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Ask until there is an answer that is no server's error, or the deadline of the wait under way."""
        reads = request.method in READING or request.extensions.keys() >= CHANGES_NOTHING.keys()

        def is_repeated(error: BaseException) -> bool:
            # Who could not connect has asked for nothing yet.
            return isinstance(error, httpx.TransportError if reads else httpx.ConnectError)

        def is_server_error(answer: httpx.Response) -> bool:
            return reads and answer.is_server_error

        began = time.monotonic()
        attempts = Retrying(
            stop=stop_after_delay(remaining_s(PATIENCE_S)),
            wait=wait_exponential(FIRST_PAUSE_S, max=LONGEST_PAUSE_S),
            retry=retry_if_exception(is_repeated) | retry_if_result(is_server_error),
            before_sleep=lambda state: _tell(request, state, time.monotonic() - began),
            retry_error_callback=_last,
        )
        return attempts(self._ask, request)

    def _ask(self, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        # An answer that breaks off is none.
        answer.read()
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


def patient_client(url: str, timeout_s: float) -> httpx.Client:
    """Return a client of a server on this machine, which asks patiently.

    It speaks plain HTTP: loading the machine's certificates would take longer than a call.
    """
    transport = PatientTransport(httpx.HTTPTransport(verify=False, trust_env=False))
    return httpx.Client(base_url=url, timeout=timeout_s, transport=transport, trust_env=False)


def _tell(request: httpx.Request, state: RetryCallState, since_s: float) -> None:
    outcome = state.outcome
    assert outcome is not None
    said = repr(outcome.exception()) if outcome.failed else f"status {outcome.result().status_code}"
    log.warning("%s %s: %s after %.1f s; it is asked again", request.method, request.url, said, since_s)


def _last(state: RetryCallState) -> httpx.Response:
    assert state.outcome is not None
    answer: httpx.Response = state.outcome.result()
    return answer
