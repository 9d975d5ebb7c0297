"""What Airflow loads of Fogline at start-up."""

from airflow.plugins_manager import AirflowPlugin

from fogline.airflow.timetable import FederationTimetable


class FoglinePlugin(AirflowPlugin):
    """Registers the timetable, so that Airflow can read it back from a serialised DAG."""

    name = "fogline"
    timetables = [FederationTimetable]  # noqa: RUF012
