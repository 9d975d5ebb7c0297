"""The folder of the DAG files as a bundle that has them parsed when a federation file has changed."""

from pathlib import Path
from typing import Any

from airflow.dag_processing.bundles.local import LocalDagBundle

from fogline.airflow.preload import DAGS, preload
from fogline.federation.files import federations_folder
from fogline.loaded import Stamps, stamps, stamps_of


class FederationBundle(LocalDagBundle):
    """A local folder whose DAG files are parsed again when what they are made from has changed.

    Federation files and Fogline's own modules are no DAG files, so Airflow does not look at them. It asks a bundle to
    refresh every few seconds; then this one compares their sizes and times of change with what they were, and requests
    a parse as a person does with *Reparse Dag*. So nothing has to be parsed by the clock.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._files: Stamps = {}
        self._modules: Stamps = {}
        self._is_due = False

    def refresh(self) -> None:
        """Request a parse if something that the DAGs are made from has changed since the last call.

        Only the DAG processor calls it; the first time it also imports what the parsers need.
        """
        is_first = not self._modules
        if is_first:
            preload(DAGS)
            self._modules = stamps()
        files, modules = stamps_of(map(str, federations_folder().glob("*.yaml"))), stamps_of(self._modules)
        has_changed = not is_first and (files, modules) != (self._files, self._modules)
        # Once more with the next call: Airflow drops a request for a file that is being parsed at the moment, and that
        # parse may have begun before the change.
        if has_changed or self._is_due:
            self._request_parse()
        self._files, self._modules, self._is_due = files, modules, has_changed

    def _request_parse(self) -> None:
        # Here, not above: tasks import this module too, and have no database.
        from airflow.models.dagbag import DagPriorityParsingRequest
        from airflow.utils.session import create_session
        from sqlalchemy import select

        asked = select(DagPriorityParsingRequest.relative_fileloc).where(
            DagPriorityParsingRequest.bundle_name == self.name
        )
        with create_session() as session:
            waiting = set(session.scalars(asked))
            for file in sorted(Path(self.path).glob("*.py")):
                place = str(file.relative_to(self.path))
                if place not in waiting:
                    session.add(DagPriorityParsingRequest(bundle_name=self.name, relative_fileloc=place))
