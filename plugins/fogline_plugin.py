"""What Airflow loads of Fogline at start-up."""

from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from fogline.airflow.timetable import FederationTimetable


class FoglinePlugin(AirflowPlugin):
    """Registers the timetable, so that Airflow can read it back from a serialised DAG, and the pages in its UI.

    Every process of Airflow loads its plugins, but only the API server asks for pages; so only it imports them.
    """

    name = "fogline"
    timetables = [FederationTimetable]  # noqa: RUF012

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:
        """The app with the pages."""
        from fogline.airflow.pages.addresses import PREFIX
        from fogline.airflow.pages.app import create_app

        return [{"name": "fogline", "app": create_app(), "url_prefix": PREFIX}]

    @cached_property
    def external_views(self) -> list[dict[str, Any]]:
        """Pages inside Airflow's own: the federations, a DAG's federation, a DAG run's round."""
        from fogline.airflow.pages import addresses

        nav = {"destination": "nav", "url_route": "federations", "nav_top_level": True}
        return [
            {"name": "Federations", "href": addresses.federations_page(), **nav},
            {
                "name": "Federation",
                "href": addresses.tab_of_any_dag(),
                "destination": "dag",
                "url_route": "federation",
            },
            {
                "name": "Federated round",
                "href": addresses.tab_of_any_run(),
                "destination": "dag_run",
                "url_route": "federated_round",
            },
        ]
