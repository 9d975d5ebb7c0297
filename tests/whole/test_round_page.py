"""A round's page behind Airflow's own login, on the whole stack."""

import datetime as dt
from urllib.parse import quote

import httpx
import jwt
import pytest

from fogline.stack.airflow_api import TIMEOUT_S
from fogline.stack.patience import patient_client
from tests.support.farm import ROUNDS, Farm
from tests.support.logins import token_of, token_with_role

pytestmark = pytest.mark.timeout(600)
COOKIE = "_token"
TASKS = ("announce_round", "collect_weights", "aggregate_weights", "evaluate_candidate", "publish_global_model")


@pytest.fixture(scope="module")
def run_id(farm: Farm) -> str:
    return farm.backfill(0, 0)[0]


@pytest.fixture(scope="module")
def page(run_id: str) -> str:
    return f"/fogline/rounds/wind_farm/main/{quote(run_id, safe='')}"


@pytest.fixture(scope="module")
def client(farm: Farm) -> httpx.Client:
    return patient_client(farm.stack.settings.airflow_url, TIMEOUT_S)


@pytest.fixture(scope="module")
def token(farm: Farm, client: httpx.Client) -> str:
    return token_of(farm.stack, client)


def test_nobody_sees_a_round_without_logging_in(client: httpx.Client, page: str, run_id: str) -> None:
    for address in (page, f"/fogline/dags/{ROUNDS}/runs/{quote(run_id, safe='')}", f"{page}x"):
        answer = client.get(address)
        assert answer.status_code == 401 and "fog-1" not in answer.text
        assert "/api/v2/auth/login?next=" in answer.text
    assert client.get("/fogline/openapi.json").status_code == 404


def test_nobody_sees_a_round_whose_dag_they_may_not_read(
    farm: Farm, client: httpx.Client, page: str, token: str, run_id: str
) -> None:
    header = {"Authorization": f"Bearer {token_with_role(farm.stack, token, None)}"}
    for address in (page, f"/fogline/dags/{ROUNDS}/runs/{quote(run_id, safe='')}"):
        answer = client.get(address, headers=header)
        assert answer.status_code == 403 and "fog-1" not in answer.text


def test_a_round_shows_with_the_cookie_of_the_browser_and_with_a_bearer_token(
    farm: Farm, client: httpx.Client, page: str, token: str, run_id: str
) -> None:
    version = farm.chain()[1]
    for header in ({"Authorization": f"Bearer {token}"}, {"Cookie": f"{COOKIE}={token}"}):
        answer = client.get(page, headers=header)
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
        for fog in ("fog-1", "fog-2", "fog-3", "fog-4"):
            assert f'<th scope="row">{fog}</th>\n<td>accepted</td>' in answer.text
        assert version.digest in answer.text and "main@1" in answer.text and "within the tolerance" in answer.text
        run = quote(run_id, safe="")
        assert f'href="/dags/{ROUNDS}/runs/{run}/tasks/collect_weights"' in answer.text


def test_what_is_no_round_is_said_in_a_sentence(client: httpx.Client, page: str, token: str) -> None:
    header = {"Authorization": f"Bearer {token}"}
    for address in (
        f"{page}x",
        "/fogline/rounds/orchard/main/1",
        "/fogline/dags/initialise_federation__wind_farm/runs/1",
    ):
        answer = client.get(address, headers=header)
        assert answer.status_code == 404 and " round of " in answer.text


def test_the_tasks_and_the_run_of_a_round_lead_to_its_page(
    farm: Farm, client: httpx.Client, page: str, token: str, run_id: str
) -> None:
    header = {"Authorization": f"Bearer {token}"}
    run = f"/api/v2/dags/{ROUNDS}/dagRuns/{quote(run_id, safe='')}"
    for task in TASKS:
        links = client.get(f"{run}/taskInstances/{task}/links", headers=header).raise_for_status().json()["extra_links"]
        answer = client.get(links["Round's page"], headers=header)
        assert answer.is_redirect and answer.headers["location"] == page
    plugins = client.get("/api/v2/plugins", headers=header).raise_for_status().json()["plugins"]
    views = next(plugin["external_views"] for plugin in plugins if plugin["name"] == "fogline")
    (tab,) = (view for view in views if view["destination"] == "dag_run")
    address = tab["href"].replace("{DAG_ID}", ROUNDS).replace("{RUN_ID}", quote(run_id, safe=""))
    assert client.get(address, headers=header).headers["location"] == f"{page}?tab=true"


def test_an_expired_login_is_as_good_as_none(farm: Farm, client: httpx.Client, page: str, token: str) -> None:
    secret = farm.stack.parts.airflow.environment()["AIRFLOW__API_AUTH__JWT_SECRET"]
    header, claims = jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})
    an_hour_ago = int((dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)).timestamp())
    old = jwt.encode({**claims, "exp": an_hour_ago}, secret, header["alg"], header)
    assert client.get(page, headers={"Cookie": f"{COOKIE}={old}"}).status_code == 401
