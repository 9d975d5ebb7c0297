"""A change of the federation files shows in Airflow by itself, also one that follows another at once."""

from typing import Any

import yaml

from fogline.dag_ids import COMPARE_BRANCHES, dag_id
from fogline.federation import federation_file
from fogline.stack.waiting import wait_until
from tests.support.farm import NAME, Farm

COMPARE = dag_id(COMPARE_BRANCHES, NAME)
# Ten seconds are what an edit may take; the rest is for a busy machine. By the clock alone it would take 300.
SEEN_S = 60


def proposed(farm: Farm) -> list[str]:
    """Return the branches that the form of `compare_branches` proposes: what Airflow has of the DAG's whole shape."""
    details = farm.api.request("GET", f"/api/v2/dags/{COMPARE}/details").raise_for_status().json()
    return list(details["params"]["second"]["schema"]["examples"])


def test_two_branches_that_begin_one_after_the_other_and_end_again(farm: Farm) -> None:
    def write(name: str, **content: Any) -> None:
        file = federation_file(NAME, name, farm.stack.settings.federations)
        file.write_text(yaml.safe_dump({"from": "main@0", **content}))

    names = ("edited_a", "edited_b")
    for name in names:
        write(name)
        wait_until(lambda one=name: one in proposed(farm), what=f"{name} in the form", deadline_s=SEEN_S, every_s=0.5)
    for name in names:
        federation_file(NAME, name, farm.stack.settings.federations).unlink()
    wait_until(lambda: not set(names) & set(proposed(farm)), what="their end", deadline_s=SEEN_S, every_s=0.5)


def test_a_mistake_shows_as_a_dag_that_says_why(farm: Farm) -> None:
    broken = "federation_file_is_broken__edited_c"
    file = federation_file("edited_c", folder=farm.stack.settings.federations)
    file.write_text("description: An orchard\n")
    wait_until(lambda: farm.api.has_dag(broken), what=broken, deadline_s=SEEN_S, every_s=0.5)
    file.unlink()
