"""Send a branch's head to Kafka: an outbox, because the commit in the ledger is the publication."""

from fogline.federation.settings import Federation
from fogline.kafka.publish import Publisher, Record
from fogline.kafka.topics import GLOBAL_MODEL
from fogline.kafka.vectors import send_vector
from fogline.ledger import models
from fogline.messages.head import Head
from fogline.steps.announce import load_version
from fogline.steps.services import Services, utc_now


def send_head(services: Services, federation: Federation) -> Head | None:
    """Send the head's blocks, then the record that names them, and note that it was sent.

    Killed in between, the move stays unsent and is sent again; subscribers ignore a head number that they have.
    """
    name, branch = federation.federation, federation.branch
    with services.ledger.transaction() as session:
        move = models.head_of(session, name, branch)
        if move is None:
            return None
        row = models.model_of_head(session, move)
    publisher = Publisher(services.kafka)
    key = f"{name}/{branch}"
    parameters = load_version(services, row).model.parameters
    weights = send_vector(publisher, GLOBAL_MODEL, f"{key}/block", parameters, n_partitions=1)
    head = Head(
        federation=name,
        branch=branch,
        version=row.version,
        head_no=move.head_no,
        weights=weights,
    )
    publisher.publish([Record(GLOBAL_MODEL, f"{key}/manifest", head.to_bytes())])
    with services.ledger.transaction() as session:
        sent = session.merge(move)
        sent.sent_at = utc_now()
    return head


def send_unsent_head(services: Services, federation: Federation) -> Head | None:
    """Send the head if the task that committed it died before it could."""
    with services.ledger.transaction() as session:
        move = models.head_of(session, federation.federation, federation.branch)
    return send_head(services, federation) if move is not None and move.sent_at is None else None
